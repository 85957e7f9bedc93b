//! What ends or interrupts a walk along a path.

/// Why the walk stopped.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// Call again with the bytes from `Walker::keep` on and more.
    More,
    /// The input's end, between values.
    End,
    /// Only with `TopLevel::Arrays`: here begins a value that is no array.
    Other(usize),
    Fault(Fault),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) at: usize,
    pub(crate) kind: FaultKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FaultKind {
    /// Something else than what is named here.
    Stray(&'static str),
    /// The input ended inside a value.
    Ended,
    BrokenString,
    TooDeep,
}
