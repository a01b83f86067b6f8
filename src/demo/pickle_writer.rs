//! An encoder of Python pickles, protocols 0, 2 and 5, as far as job lists need it.
//!
//! The streams have the shape that Python's own pickler gives them: strings, dates and classes are memoised at their
//! first use, collections are filled in batches, protocol 5 is cut into frames. The opcodes are those of
//! `Lib/pickletools.py` in `CPython`.

mod escape;
mod value;

use std::collections::HashMap;

use chrono::{Datelike, NaiveDateTime, Timelike};

use self::escape::{python2_repr, raw_unicode_escape};

pub use self::value::Value;

/// `CPython` starts a new frame when one has reached this size.
const FRAME_SIZE: usize = 64 * 1024;
/// `CPython` fills lists, sets and dicts by so many items at a time.
const BATCH: usize = 1000;

/// The version of the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    /// Printable text, as Python 2 wrote it by default.
    Text = 0,
    /// Binary, readable by Python 2 and 3.
    Two = 2,
    /// Binary with frames, Python 3.8 and newer.
    Five = 5,
}

/// The object as a pickle.
pub fn pickle(value: &Value, protocol: Protocol) -> Vec<u8> {
    let mut encoder = Encoder {
        protocol,
        done: Vec::new(),
        frame: Vec::new(),
        memo: HashMap::new(),
        memoised: 0,
    };
    if protocol != Protocol::Text {
        encoder.done.extend([0x80, protocol as u8]);
    }
    encoder.save(value);
    encoder.frame.push(b'.');
    encoder.end_frame();
    encoder.done
}

/// What makes two objects one in the memo.
#[derive(PartialEq, Eq, Hash)]
enum Key {
    Text(String),
    DateTime(NaiveDateTime),
    Global(&'static str, &'static str),
    Shared(usize),
}

struct Encoder {
    protocol: Protocol,
    done: Vec<u8>,
    frame: Vec<u8>,
    memo: HashMap<Key, u32>,
    memoised: u32,
}

impl Encoder {
    fn save(&mut self, value: &Value) {
        if self.frame.len() >= FRAME_SIZE {
            self.end_frame();
        }
        match value {
            Value::None => self.op(b'N'),
            Value::Bool(truth) => self.bool(*truth),
            Value::Int(number) => self.int(*number),
            Value::Str(text) => self.str(text),
            Value::Tuple(items) => self.tuple(items, None),
            Value::List(items) => self.list(items, None),
            Value::Set(items) => self.set(items),
            Value::Dict(items) => self.dict(items, None),
            Value::DateTime(time) => self.datetime(*time),
            Value::Global(module, name) => self.global(module, name),
            Value::Call(module, name, arguments) => self.call(module, name, arguments, None),
            Value::Object(module, name, state) => self.object(module, name, state, None),
            Value::Shared(number, value) => self.shared(*number, value),
            Value::Again(number) => {
                self.recall(&Key::Shared(*number));
            }
        }
    }

    /// Containers enter the memo before their items, so that an item may refer to them.
    fn shared(&mut self, number: usize, value: &Value) {
        let key = Some(Key::Shared(number));
        match value {
            Value::Tuple(items) => self.tuple(items, key),
            Value::List(items) => self.list(items, key),
            Value::Dict(items) => self.dict(items, key),
            Value::Call(module, name, arguments) => self.call(module, name, arguments, key),
            Value::Object(module, name, state) => self.object(module, name, state, key),
            other => {
                self.save(other);
                self.memoise(key);
            }
        }
    }

    fn op(&mut self, opcode: u8) {
        self.frame.push(opcode);
    }

    fn line(&mut self, opcode: u8, text: &str) {
        self.frame.push(opcode);
        self.frame.extend(text.as_bytes());
        self.frame.push(b'\n');
    }

    fn end_frame(&mut self) {
        if self.protocol == Protocol::Five {
            self.done.push(0x95);
            self.done.extend((self.frame.len() as u64).to_le_bytes());
        }
        self.done.append(&mut self.frame);
    }

    fn memoise(&mut self, key: Option<Key>) {
        let index = self.memoised;
        self.memoised += 1;
        match (self.protocol, u8::try_from(index)) {
            (Protocol::Text, _) => self.line(b'p', &index.to_string()),
            (Protocol::Two, Ok(small)) => self.frame.extend([b'q', small]),
            (Protocol::Two, Err(_)) => {
                self.op(b'r');
                self.frame.extend(index.to_le_bytes());
            }
            (Protocol::Five, _) => self.op(0x94),
        }
        if let Some(key) = key {
            self.memo.insert(key, index);
        }
    }

    /// Fetches an object from the memo, if it is there.
    fn recall(&mut self, key: &Key) -> bool {
        let Some(&index) = self.memo.get(key) else {
            return false;
        };
        match (self.protocol, u8::try_from(index)) {
            (Protocol::Text, _) => self.line(b'g', &index.to_string()),
            (_, Ok(small)) => self.frame.extend([b'h', small]),
            (_, Err(_)) => {
                self.op(b'j');
                self.frame.extend(index.to_le_bytes());
            }
        }
        true
    }

    fn bool(&mut self, truth: bool) {
        match (self.protocol, truth) {
            (Protocol::Text, true) => self.line(b'I', "01"),
            (Protocol::Text, false) => self.line(b'I', "00"),
            (_, true) => self.op(0x88),
            (_, false) => self.op(0x89),
        }
    }

    fn int(&mut self, number: i64) {
        if self.protocol == Protocol::Text {
            self.line(b'I', &number.to_string());
        } else if let Ok(byte) = u8::try_from(number) {
            self.frame.extend([b'K', byte]);
        } else if let Ok(short) = u16::try_from(number) {
            self.op(b'M');
            self.frame.extend(short.to_le_bytes());
        } else if let Ok(word) = i32::try_from(number) {
            self.op(b'J');
            self.frame.extend(word.to_le_bytes());
        } else {
            // LONG1: the shortest little-endian two's complement.
            let bytes = number.to_le_bytes();
            let sign = if number < 0 { 0xff } else { 0 };
            let mut length = bytes.len();
            while length > 1 && bytes[length - 1] == sign && (bytes[length - 2] ^ sign) < 0x80 {
                length -= 1;
            }
            self.op(0x8a);
            self.op(u8::try_from(length).unwrap_or(8));
            self.frame.extend(&bytes[..length]);
        }
    }

    fn str(&mut self, text: &str) {
        let key = Key::Text(text.to_owned());
        if self.recall(&key) {
            return;
        }
        match self.protocol {
            Protocol::Text if text.is_ascii() => self.line(b'S', &python2_repr(text.as_bytes())),
            Protocol::Text => self.line(b'V', &raw_unicode_escape(text)),
            Protocol::Five if text.len() < 256 => {
                self.op(0x8c);
                self.op(u8::try_from(text.len()).unwrap_or(u8::MAX));
                self.frame.extend(text.as_bytes());
            }
            Protocol::Two | Protocol::Five => {
                self.op(b'X');
                self.frame
                    .extend(u32::try_from(text.len()).unwrap_or(u32::MAX).to_le_bytes());
                self.frame.extend(text.as_bytes());
            }
        }
        self.memoise(Some(key));
    }

    /// `datetime.datetime` is made of ten bytes: year, month, day, hour, minute, second, microsecond, big endian.
    fn datetime(&mut self, time: NaiveDateTime) {
        if self.recall(&Key::DateTime(time)) {
            return;
        }
        let year = u16::try_from(time.year()).unwrap_or_default().to_be_bytes();
        let micros = (time.nanosecond() / 1000).to_be_bytes();
        let part = |number: u32| u8::try_from(number).unwrap_or_default();
        let packed = [
            year[0],
            year[1],
            part(time.month()),
            part(time.day()),
            part(time.hour()),
            part(time.minute()),
            part(time.second()),
            micros[1],
            micros[2],
            micros[3],
        ];
        self.global("datetime", "datetime");
        match self.protocol {
            Protocol::Text => {
                self.op(b'(');
                self.line(b'S', &python2_repr(&packed));
                self.memoise(None);
                self.op(b't');
            }
            Protocol::Two => {
                let latin1 = packed
                    .iter()
                    .map(|&byte| char::from(byte))
                    .collect::<String>();
                self.call("_codecs", "encode", &[latin1.into(), "latin1".into()], None);
                self.op(0x85);
            }
            Protocol::Five => {
                self.frame.extend([b'C', 10]);
                self.frame.extend(packed);
                self.memoise(None);
                self.op(0x85);
            }
        }
        self.memoise(None);
        self.op(b'R');
        self.memoise(Some(Key::DateTime(time)));
    }

    fn global(&mut self, module: &'static str, name: &'static str) {
        let key = Key::Global(module, name);
        if self.recall(&key) {
            return;
        }
        if self.protocol == Protocol::Five {
            self.str(module);
            self.str(name);
            self.op(0x93);
        } else {
            self.line(b'c', &format!("{module}\n{name}"));
        }
        self.memoise(Some(key));
    }

    fn call(
        &mut self,
        module: &'static str,
        name: &'static str,
        arguments: &[Value],
        key: Option<Key>,
    ) {
        self.global(module, name);
        self.tuple(arguments, None);
        self.op(b'R');
        self.memoise(key);
    }

    fn object(
        &mut self,
        module: &'static str,
        name: &'static str,
        state: &Value,
        key: Option<Key>,
    ) {
        if self.protocol == Protocol::Text {
            let parts = [
                Value::Global(module, name),
                Value::Global("__builtin__", "object"),
                Value::None,
            ];
            self.call("copy_reg", "_reconstructor", &parts, key);
        } else {
            self.global(module, name);
            self.op(b')');
            self.op(0x81);
            self.memoise(key);
        }
        self.save(state);
        self.op(b'b');
    }

    fn tuple(&mut self, items: &[Value], key: Option<Key>) {
        let short = match items.len() {
            _ if self.protocol == Protocol::Text => None,
            0 => return self.op(b')'),
            1 => Some(0x85),
            2 => Some(0x86),
            3 => Some(0x87),
            _ => None,
        };
        if short.is_none() {
            self.op(b'(');
        }
        for item in items {
            self.save(item);
        }
        self.op(short.unwrap_or(b't'));
        self.memoise(key);
    }

    fn list(&mut self, items: &[Value], key: Option<Key>) {
        self.start(b']', b'l');
        self.memoise(key);
        self.fill(items, b'a', b'e', Self::save);
    }

    fn dict(&mut self, items: &[(Value, Value)], key: Option<Key>) {
        self.start(b'}', b'd');
        self.memoise(key);
        self.fill(items, b's', b'u', |encoder, (key, value)| {
            encoder.save(key);
            encoder.save(value);
        });
    }

    fn set(&mut self, items: &[Value]) {
        if self.protocol == Protocol::Five {
            self.op(0x8f);
            self.memoise(None);
            for batch in items.chunks(BATCH) {
                self.op(b'(');
                for item in batch {
                    self.save(item);
                }
                self.op(0x90);
            }
        } else {
            self.call("__builtin__", "set", &[Value::List(items.to_vec())], None);
        }
    }

    /// An empty container: one opcode, or in text a mark and the opcode that collects what follows it.
    fn start(&mut self, empty: u8, collect: u8) {
        match self.protocol {
            Protocol::Text => self.frame.extend([b'(', collect]),
            Protocol::Two | Protocol::Five => self.op(empty),
        }
    }

    fn fill<T>(&mut self, items: &[T], one: u8, many: u8, save: impl Fn(&mut Self, &T)) {
        let batch = if self.protocol == Protocol::Text {
            1
        } else {
            BATCH
        };
        for batch in items.chunks(batch) {
            if batch.len() > 1 {
                self.op(b'(');
            }
            for item in batch {
                save(self, item);
            }
            self.op(if batch.len() > 1 { many } else { one });
        }
    }
}

#[cfg(test)]
mod tests;
