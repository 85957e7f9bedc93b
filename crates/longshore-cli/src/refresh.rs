//! `--full-refresh` and `--refresh`: what a run loads from scratch.

use crate::sources::Opened;
use clap::{Args, ValueEnum};
use longshore_core::naming;
use longshore_core::refresh::{Refresh, RefreshMode, Slot, Tables};

/// Whether to begin from scratch.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub(crate) struct RefreshArgs {
    /// Load everything from scratch: tables and state of what is loaded go in the step that brings the new rows
    #[arg(long, help_heading = "Writing")]
    pub(crate) full_refresh: bool,

    /// What goes before the new rows come, in the same step
    #[arg(long, value_enum, value_name = "MODE", conflicts_with = "full_refresh", help_heading = "Writing")]
    pub(crate) refresh: Option<Word>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
#[expect(clippy::enum_variant_names, reason = "they are dlt's words")]
pub(crate) enum Word {
    /// All tables and all state of the sources that are loaded, also of resources that are not selected
    DropSources,
    /// Tables and state of the resources that are loaded
    DropResources,
    /// Rows and cursors of the resources that are loaded; tables and schema stay
    DropData,
}

impl From<Word> for RefreshMode {
    fn from(word: Word) -> Self {
        match word {
            Word::DropSources => RefreshMode::DropSources,
            Word::DropResources => RefreshMode::DropResources,
            Word::DropData => RefreshMode::DropData,
        }
    }
}

impl RefreshArgs {
    /// What `longshore load` begins without: its input is one resource that has no state.
    pub(crate) fn of_load(&self) -> Option<Refresh> {
        let full = self.full_refresh.then_some(Word::DropResources);
        let mode = RefreshMode::from(self.refresh.or(full)?);
        let tables = match mode {
            RefreshMode::DropSources => Tables::All,
            _ => Tables::Of(vec![0], Vec::new()),
        };
        Some(Refresh { mode, tables, slots: Vec::new() })
    }

    /// What a run begins without. `said` is the project's word; `declared` are the names of all resources of the sources
    /// that are loaded, `None` when these are all sources of the project.
    pub(crate) fn of_run(
        &self,
        said: Option<Word>,
        selects: bool,
        opened: &[(String, Opened)],
        declared: Option<Vec<String>>,
    ) -> Option<Refresh> {
        let full = if selects { Word::DropResources } else { Word::DropSources };
        let mode = RefreshMode::from(self.refresh.or(self.full_refresh.then_some(full)).or(said)?);
        let whole = mode == RefreshMode::DropSources;
        let (mut numbers, mut slots, mut number) = (Vec::new(), Vec::new(), 0);
        for (source, one) in opened {
            if whole {
                slots.push(Slot { source: source.clone(), resource: None });
            }
            for (name, loads) in one.names.iter().zip(&one.loads) {
                if whole || *loads {
                    numbers.push(number);
                }
                if !whole && *loads {
                    slots.push(Slot { source: source.clone(), resource: Some(name.clone()) });
                }
                number += 1;
            }
        }
        let tables = match declared.filter(|_| whole) {
            None if whole => Tables::All,
            names => {
                let names = names.unwrap_or_default();
                Tables::Of(numbers, names.iter().filter_map(|n| naming::normalize_identifier(n)).collect())
            }
        };
        Some(Refresh { mode, tables, slots })
    }
}
