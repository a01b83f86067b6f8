//! Python pickles of protocols 0 to 5 as plain data. Nothing is ever run.
//!
//! A pickle is a program for a small stack machine (`pickletools` in Python's library documents it). This
//! interpreter builds an arena of nodes that refer to each other by index, as pickles share nodes and may be cyclic.
//! What Python would import or call becomes data: a [`Value::Global`] is a name, a [`Value::Object`] a callee with its
//! arguments and state. Each instruction costs constant time and makes at most one node, so time and memory are
//! linear in the input. A reader of the result has to bound its own walk: see [`Walk`].

mod input;
mod machine;
mod text;
mod walk;

use std::borrow::Cow;

pub use walk::{Item, Walk};

/// The index of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ref(u32);

/// One node. Text and bytes are borrowed from the input where they can be.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    /// `None`.
    None,
    /// A truth value.
    Bool(bool),
    /// An integer of at most 64 bits.
    Int(i64),
    /// An integer of more; nothing here needs one.
    BigInt,
    /// A float.
    Float(f64),
    /// Text. The byte strings of Python 2 are text as well, each byte a character (Latin-1), as in Python's own
    /// `pickle.load(file, encoding="latin1")`. Lone surrogates become U+FFFD.
    Str(Cow<'a, str>),
    /// Bytes.
    Bytes(&'a [u8]),
    /// A list.
    List(Vec<Ref>),
    /// A tuple.
    Tuple(Vec<Ref>),
    /// A dictionary; a key that comes twice stands twice.
    Dict(Vec<(Ref, Ref)>),
    /// A set or frozen set.
    Set(Vec<Ref>),
    /// Something by its name: a class or a function.
    Global {
        /// The module.
        module: Cow<'a, str>,
        /// The name in it.
        name: Cow<'a, str>,
    },
    /// What a call would have given.
    Object(Box<Object>),
    /// An object that the pickle only names (persistent id), or an extension code.
    External,
}

/// A callee, its arguments and what was put into the result.
#[derive(Debug, Clone, PartialEq)]
pub struct Object {
    /// The class or function.
    pub callee: Ref,
    /// The arguments, usually a tuple.
    pub args: Ref,
    /// The state that BUILD would have set; of several the last.
    pub state: Option<Ref>,
    /// Entries, for subclasses of `dict`.
    pub entries: Vec<(Ref, Ref)>,
    /// Elements, for subclasses of `list` and `set`.
    pub elements: Vec<Ref>,
}

/// The nodes of a pickle.
#[derive(Debug, Clone, PartialEq)]
pub struct Pickle<'a> {
    nodes: Vec<Value<'a>>,
    root: Ref,
    size: usize,
}

impl<'a> Pickle<'a> {
    /// Reads the first pickle in some bytes; what follows its STOP is ignored.
    ///
    /// # Errors
    /// [`PickleError`], with the place.
    pub fn parse(input: &'a [u8]) -> Result<Self, PickleError> {
        let (nodes, root) = machine::run(input)?;
        Ok(Self {
            nodes,
            root,
            size: input.len(),
        })
    }

    /// The object that was pickled.
    pub fn root(&self) -> Ref {
        self.root
    }

    /// A node.
    pub fn get(&self, at: Ref) -> &Value<'a> {
        self.nodes.get(at.0 as usize).unwrap_or(&Value::None)
    }

    /// The number of nodes, at most the number of bytes.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there are no nodes (never, once parsed).
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The size of the input in bytes.
    pub fn size(&self) -> usize {
        self.size
    }
}

/// Why and where a pickle cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind} (byte {offset}{})", opcode.map(|code| format!(", opcode 0x{code:02x}")).unwrap_or_default())]
pub struct PickleError {
    /// The offset of the instruction.
    pub offset: usize,
    /// The instruction, if there was one.
    pub opcode: Option<u8>,
    /// What is wrong.
    pub kind: PickleErrorKind,
}

/// What can be wrong with a pickle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PickleErrorKind {
    /// More than 1 GiB.
    #[error("the pickle is too large")]
    TooLarge,
    /// It ends before its STOP.
    #[error("the pickle is cut off")]
    Truncated,
    /// No such instruction.
    #[error("not a pickle: unknown instruction")]
    UnknownOpcode,
    /// A protocol after 5.
    #[error("the pickle's protocol is newer than 5")]
    Protocol,
    /// An instruction wants more than the stack holds.
    #[error("the pickle is damaged: its stack is empty")]
    EmptyStack,
    /// An instruction wants a mark.
    #[error("the pickle is damaged: a mark is missing")]
    NoMark,
    /// Entries are put into something that takes none, or a key has no value.
    #[error("the pickle is damaged: wrong kind of object")]
    WrongKind,
    /// A memo entry that was never stored.
    #[error("the pickle is damaged: it refers to something that it has not stored")]
    NoMemo,
    /// A number or string that is none.
    #[error("the pickle is damaged: a value cannot be read")]
    BadValue,
    /// Buffers outside of the pickle (protocol 5).
    #[error("the pickle keeps data outside of itself")]
    OutOfBand,
}
