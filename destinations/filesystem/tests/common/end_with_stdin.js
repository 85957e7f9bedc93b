// Ends the process when its standard input is closed: when the test that started it has ended, however it ended.
process.stdin.on('end', () => process.exit()).resume();
