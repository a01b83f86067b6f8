//! The stack machine.

use std::{borrow::Cow, collections::HashMap};

use super::{Object, PickleError, PickleErrorKind as Kind, Ref, Value, input::Input, text};

/// The largest input in bytes; it keeps indexes within 32 bits.
const MAX_INPUT: usize = 1 << 30;

struct Machine<'a> {
    input: Input<'a>,
    nodes: Vec<Value<'a>>,
    stack: Vec<Ref>,
    /// Where in the stack the marks stand.
    marks: Vec<usize>,
    /// A map, not a list: an index may be any number of 32 bits.
    memo: HashMap<u64, Ref>,
}

/// Runs a pickle to its STOP.
pub(super) fn run(input: &[u8]) -> Result<(Vec<Value<'_>>, Ref), PickleError> {
    let mut machine = Machine {
        input: Input::new(input),
        nodes: Vec::new(),
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
    };
    if input.len() > MAX_INPUT {
        return Err(PickleError {
            offset: 0,
            opcode: None,
            kind: Kind::TooLarge,
        });
    }
    loop {
        let offset = machine.input.position();
        let opcode = machine.input.byte().map_err(|kind| PickleError {
            offset,
            opcode: None,
            kind,
        })?;
        let done = machine.step(opcode).map_err(|kind| PickleError {
            offset,
            opcode: Some(opcode),
            kind,
        })?;
        if let Some(root) = done {
            return Ok((machine.nodes, root));
        }
    }
}

impl<'a> Machine<'a> {
    /// Runs one instruction; gives the result at STOP.
    fn step(&mut self, opcode: u8) -> Result<Option<Ref>, Kind> {
        match opcode {
            // PROTO, FRAME, MARK, STOP, POP, POP_MARK, DUP
            0x80 => {
                if self.input.byte()? > 5 {
                    return Err(Kind::Protocol);
                }
            }
            0x95 => {
                self.input.take(8)?;
            }
            b'(' => self.marks.push(self.stack.len()),
            b'.' => return self.pop().map(Some),
            b'0' => {
                // Python lets POP also remove a mark that is on top.
                if self.marks.last() == Some(&self.stack.len()) {
                    self.marks.pop();
                } else {
                    self.pop()?;
                }
            }
            b'1' => {
                self.pop_mark()?;
            }
            b'2' => {
                let top = self.top()?;
                self.stack.push(top);
            }
            // NONE, NEWTRUE, NEWFALSE
            b'N' => self.push(Value::None)?,
            0x88 => self.push(Value::Bool(true))?,
            0x89 => self.push(Value::Bool(false))?,
            b'I' | b'L' | b'F' | b'J' | b'K' | b'M' | 0x8a | 0x8b | b'G' => {
                let value = self.number(opcode)?;
                self.push(value)?;
            }
            b'S' | b'T' | b'U' | b'V' | b'X' | 0x8c | 0x8d | b'B' | b'C' | 0x8e | 0x96 => {
                let value = self.string(opcode)?;
                self.push(value)?;
            }
            // NEXT_BUFFER, READONLY_BUFFER
            0x97 => return Err(Kind::OutOfBand),
            0x98 => {
                self.top()?;
            }
            b']' | b'}' | b')' | 0x8f | b'l' | b'd' | b't' | 0x85 | 0x86 | 0x87 | 0x91 => {
                let value = self.collection(opcode)?;
                self.push(value)?;
            }
            b'a' | b'e' | b's' | b'u' | 0x90 => self.fill(opcode)?,
            b'g' | b'h' | b'j' | b'p' | b'q' | b'r' | 0x94 => self.remember(opcode)?,
            b'c' | 0x93 | b'R' | 0x81 | 0x92 | b'i' | b'o' | b'b' | b'P' | b'Q' | 0x82 | 0x83
            | 0x84 => {
                self.object(opcode)?;
            }
            _ => return Err(Kind::UnknownOpcode),
        }
        Ok(None)
    }

    fn number(&mut self, opcode: u8) -> Result<Value<'a>, Kind> {
        Ok(match opcode {
            // INT; protocols 0 and 1 write truth values as 00 and 01
            b'I' => match self.input.line()? {
                b"00" => Value::Bool(false),
                b"01" => Value::Bool(true),
                line => text::decimal(line).ok_or(Kind::BadValue)?,
            },
            // LONG
            b'L' => {
                let line = self.input.line()?;
                text::decimal(line.strip_suffix(b"L").unwrap_or(line)).ok_or(Kind::BadValue)?
            }
            // FLOAT
            b'F' => {
                let line = std::str::from_utf8(self.input.line()?).map_err(|_| Kind::BadValue)?;
                Value::Float(line.trim().parse().map_err(|_| Kind::BadValue)?)
            }
            // BININT, BININT1, BININT2
            b'J' => Value::Int(i64::from(i32::from_le_bytes(self.input.array()?))),
            b'K' => Value::Int(i64::from(self.input.byte()?)),
            b'M' => Value::Int(i64::from(u16::from_le_bytes(self.input.array()?))),
            // LONG1, LONG4
            0x8a => {
                let length = usize::from(self.input.byte()?);
                text::long(self.input.take(length)?)
            }
            0x8b => {
                let length = i32::from_le_bytes(self.input.array()?);
                let length = usize::try_from(length).map_err(|_| Kind::BadValue)?;
                text::long(self.input.take(length)?)
            }
            // BINFLOAT
            _ => Value::Float(f64::from_be_bytes(self.input.array()?)),
        })
    }

    fn string(&mut self, opcode: u8) -> Result<Value<'a>, Kind> {
        Ok(match opcode {
            // STRING, BINSTRING, SHORT_BINSTRING: byte strings of Python 2
            b'S' => Value::Str(text::literal(self.input.line()?).ok_or(Kind::BadValue)?),
            b'T' => {
                let length = i32::from_le_bytes(self.input.array()?);
                let length = usize::try_from(length).map_err(|_| Kind::BadValue)?;
                Value::Str(text::latin1(self.input.take(length)?))
            }
            b'U' => {
                let length = usize::from(self.input.byte()?);
                Value::Str(text::latin1(self.input.take(length)?))
            }
            // UNICODE, BINUNICODE, SHORT_BINUNICODE, BINUNICODE8
            b'V' => Value::Str(text::raw_unicode(self.input.line()?).ok_or(Kind::BadValue)?),
            b'X' => Value::Str(text::utf8(self.input.counted4()?)),
            0x8c => {
                let length = usize::from(self.input.byte()?);
                Value::Str(text::utf8(self.input.take(length)?))
            }
            0x8d => Value::Str(text::utf8(self.input.counted8()?)),
            // BINBYTES, SHORT_BINBYTES, BINBYTES8, BYTEARRAY8
            b'B' => Value::Bytes(self.input.counted4()?),
            b'C' => {
                let length = usize::from(self.input.byte()?);
                Value::Bytes(self.input.take(length)?)
            }
            _ => Value::Bytes(self.input.counted8()?),
        })
    }

    fn collection(&mut self, opcode: u8) -> Result<Value<'a>, Kind> {
        Ok(match opcode {
            // EMPTY_LIST, EMPTY_DICT, EMPTY_TUPLE, EMPTY_SET
            b']' => Value::List(Vec::new()),
            b'}' => Value::Dict(Vec::new()),
            b')' => Value::Tuple(Vec::new()),
            0x8f => Value::Set(Vec::new()),
            // LIST, DICT, TUPLE, FROZENSET
            b'l' => Value::List(self.pop_mark()?),
            b'd' => Value::Dict(pairs(&self.pop_mark()?)?),
            b't' => Value::Tuple(self.pop_mark()?),
            0x91 => Value::Set(self.pop_mark()?),
            // TUPLE1, TUPLE2, TUPLE3
            _ => {
                let mut items = Vec::new();
                for _ in 0..=usize::from(opcode - 0x85) {
                    items.push(self.pop()?);
                }
                items.reverse();
                Value::Tuple(items)
            }
        })
    }

    /// Puts items into the collection below them.
    fn fill(&mut self, opcode: u8) -> Result<(), Kind> {
        let items = match opcode {
            // APPEND, SETITEM
            b'a' => vec![self.pop()?],
            b's' => {
                let value = self.pop()?;
                vec![self.pop()?, value]
            }
            // APPENDS, SETITEMS, ADDITEMS
            _ => self.pop_mark()?,
        };
        let target = self.top()?;
        match (opcode, self.node_mut(target)?) {
            (b's' | b'u', Value::Dict(entries)) => entries.extend(pairs(&items)?),
            (b's' | b'u', Value::Object(object)) => object.entries.extend(pairs(&items)?),
            (b'a' | b'e', Value::List(list)) => list.extend(items),
            (0x90, Value::Set(set)) => set.extend(items),
            (b'a' | b'e' | 0x90, Value::Object(object)) => object.elements.extend(items),
            // What the pickle does not hold cannot be filled either.
            (_, Value::External) => {}
            _ => return Err(Kind::WrongKind),
        }
        Ok(())
    }

    fn remember(&mut self, opcode: u8) -> Result<(), Kind> {
        let index = match opcode {
            // GET, PUT; BINGET, BINPUT; LONG_BINGET, LONG_BINPUT; MEMOIZE
            b'g' | b'p' => {
                let line = std::str::from_utf8(self.input.line()?).map_err(|_| Kind::BadValue)?;
                line.trim().parse().map_err(|_| Kind::BadValue)?
            }
            b'h' | b'q' => u64::from(self.input.byte()?),
            b'j' | b'r' => u64::from(u32::from_le_bytes(self.input.array()?)),
            _ => self.memo.len() as u64,
        };
        if matches!(opcode, b'g' | b'h' | b'j') {
            let found = *self.memo.get(&index).ok_or(Kind::NoMemo)?;
            self.stack.push(found);
        } else {
            let top = self.top()?;
            self.memo.insert(index, top);
        }
        Ok(())
    }

    /// What Python would import or call.
    fn object(&mut self, opcode: u8) -> Result<(), Kind> {
        match opcode {
            // GLOBAL, STACK_GLOBAL
            b'c' => {
                let global = self.named_global()?;
                self.push(global)
            }
            0x93 => {
                let name = self.pop()?;
                let module = self.pop()?;
                let global = Value::Global {
                    module: self.text_at(module)?,
                    name: self.text_at(name)?,
                };
                self.push(global)
            }
            // REDUCE, NEWOBJ
            b'R' | 0x81 => {
                let args = self.pop()?;
                let callee = self.pop()?;
                self.push_object(callee, args)
            }
            // NEWOBJ_EX: the keyword arguments are of no use here
            0x92 => {
                self.pop()?;
                let args = self.pop()?;
                let callee = self.pop()?;
                self.push_object(callee, args)
            }
            // INST, OBJ
            b'i' => {
                let global = self.named_global()?;
                let items = self.pop_mark()?;
                let callee = self.add(global)?;
                let args = self.add(Value::Tuple(items))?;
                self.push_object(callee, args)
            }
            b'o' => {
                let mut items = self.pop_mark()?;
                if items.is_empty() {
                    return Err(Kind::EmptyStack);
                }
                let callee = items.remove(0);
                let args = self.add(Value::Tuple(items))?;
                self.push_object(callee, args)
            }
            // BUILD
            b'b' => {
                let state = self.pop()?;
                let target = self.top()?;
                if let Value::Object(object) = self.node_mut(target)? {
                    object.state = Some(state);
                }
                Ok(())
            }
            // PERSID, BINPERSID, EXT1, EXT2, EXT4
            b'P' => {
                self.input.line()?;
                self.push(Value::External)
            }
            b'Q' => {
                self.pop()?;
                self.push(Value::External)
            }
            _ => {
                self.input.take(1 << (opcode - 0x82))?;
                self.push(Value::External)
            }
        }
    }

    fn named_global(&mut self) -> Result<Value<'a>, Kind> {
        let module = text::utf8(self.input.line()?);
        let name = text::utf8(self.input.line()?);
        Ok(Value::Global { module, name })
    }

    fn push_object(&mut self, callee: Ref, args: Ref) -> Result<(), Kind> {
        let object = Object {
            callee,
            args,
            state: None,
            entries: Vec::new(),
            elements: Vec::new(),
        };
        self.push(Value::Object(Box::new(object)))
    }

    /// A copy of a short text: names of modules and classes.
    fn text_at(&self, at: Ref) -> Result<Cow<'a, str>, Kind> {
        const LONGEST_NAME: usize = 1000;
        match self.nodes.get(at.0 as usize) {
            Some(Value::Str(text)) if text.len() <= LONGEST_NAME => Ok(text.clone()),
            _ => Err(Kind::WrongKind),
        }
    }

    fn add(&mut self, value: Value<'a>) -> Result<Ref, Kind> {
        let index = u32::try_from(self.nodes.len()).map_err(|_| Kind::TooLarge)?;
        self.nodes.push(value);
        Ok(Ref(index))
    }

    fn push(&mut self, value: Value<'a>) -> Result<(), Kind> {
        let at = self.add(value)?;
        self.stack.push(at);
        Ok(())
    }

    fn node_mut(&mut self, at: Ref) -> Result<&mut Value<'a>, Kind> {
        self.nodes.get_mut(at.0 as usize).ok_or(Kind::EmptyStack)
    }

    /// The lowest position that may be popped: things below a mark belong to somebody else.
    fn floor(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    fn top(&self) -> Result<Ref, Kind> {
        if self.stack.len() <= self.floor() {
            return Err(Kind::EmptyStack);
        }
        self.stack.last().copied().ok_or(Kind::EmptyStack)
    }

    fn pop(&mut self) -> Result<Ref, Kind> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    fn pop_mark(&mut self) -> Result<Vec<Ref>, Kind> {
        let mark = self.marks.pop().ok_or(Kind::NoMark)?;
        Ok(self.stack.split_off(mark))
    }
}

/// Keys and values in turn.
fn pairs(items: &[Ref]) -> Result<Vec<(Ref, Ref)>, Kind> {
    let (pairs, rest) = items.as_chunks::<2>();
    if rest.is_empty() {
        Ok(pairs.iter().map(|[key, value]| (*key, *value)).collect())
    } else {
        Err(Kind::WrongKind)
    }
}
