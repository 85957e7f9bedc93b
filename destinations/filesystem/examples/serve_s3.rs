//! Serves S3 on a free port of this machine, for measurements: prints address, bucket, key and secret, and ends with
//! its standard input.

#[path = "../tests/common/servers.rs"]
#[allow(dead_code, unreachable_pub)]
mod servers;

fn main() {
    let server = servers::s3();
    println!("{} {} {} {}", server.address, servers::BUCKET, servers::KEY, servers::SECRET);
    let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink()); // until it is closed
}
