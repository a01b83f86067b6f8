//! Event streams (HTML standard, 9.2.6), read.

/// An event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// Its type: `next` or `complete`.
    pub kind: String,
    /// Its lines.
    pub data: String,
}

/// The most bytes of a line, and of an event.
const MOST: usize = 64 << 20;

/// An event has no end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an event has more than {MOST} bytes")]
pub struct Endless;

/// Takes the bytes of a stream, and gives its events.
#[derive(Debug, Default)]
pub struct Reader {
    /// What has come and is not read yet.
    bytes: Vec<u8>,
    begun: Event,
    has_data: bool,
    /// The last line ended with a carriage return: a line feed that follows belongs to it.
    is_after_return: bool,
}

impl Reader {
    /// Takes what has come.
    ///
    /// # Errors
    /// An event is too large to be one.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), Endless> {
        self.bytes.extend_from_slice(bytes);
        if self.bytes.len() > MOST || self.begun.data.len() > MOST {
            return Err(Endless);
        }
        Ok(())
    }

    /// The next event; none: more has to come.
    pub fn event(&mut self) -> Option<Event> {
        while let Some(line) = self.line() {
            if line.is_empty() {
                let event = std::mem::take(&mut self.begun);
                if std::mem::take(&mut self.has_data) {
                    return Some(event);
                }
                continue;
            }
            let (name, value) = line.split_once(':').unwrap_or((&line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match name {
                "event" => value.clone_into(&mut self.begun.kind),
                "data" => {
                    if self.has_data {
                        self.begun.data.push('\n');
                    }
                    self.begun.data.push_str(value);
                    self.has_data = true;
                }
                // Comments, which say that the server lives, and what is not needed here.
                _ => {}
            }
        }
        None
    }

    /// The next line without its end, if that has come.
    fn line(&mut self) -> Option<String> {
        if self.is_after_return {
            if *self.bytes.first()? == b'\n' {
                self.bytes.remove(0);
            }
            self.is_after_return = false;
        }
        let end = self.bytes.iter().position(|b| matches!(b, b'\n' | b'\r'))?;
        let mut line: Vec<u8> = self.bytes.drain(..=end).collect();
        self.is_after_return = line.pop() == Some(b'\r');
        Some(String::from_utf8_lossy(&line).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const STREAM: &str = ":\n\nevent: next\nid: 7\ndata: {\"a\":\ndata: \"ü\"}\n\n\
        event: next\r\ndata:x\r\n\r\nid: 9\n\nevent: complete\rdata:\r\revent: next\ndata: cut";

    fn expected() -> Vec<Event> {
        let events = [("next", "{\"a\":\n\"ü\"}"), ("next", "x"), ("complete", "")];
        let event = |(kind, data): (&str, &str)| Event {
            kind: kind.to_owned(),
            data: data.to_owned(),
        };
        events.map(event).into()
    }

    proptest! {
        #[test]
        fn events_are_read_however_they_arrive(sizes in prop::collection::vec(1_usize..9, 0..200)) {
            let mut reader = Reader::default();
            let mut read = Vec::new();
            let mut rest = STREAM.as_bytes();
            for size in sizes.into_iter().chain([STREAM.len()]) {
                let (piece, after) = rest.split_at(size.min(rest.len()));
                rest = after;
                reader.push(piece).unwrap();
                while let Some(event) = reader.event() {
                    read.push(event);
                }
            }
            prop_assert_eq!(read, expected());
        }
    }

    #[test]
    fn an_event_without_an_end_is_refused() {
        let mut reader = Reader::default();
        let piece = vec![b'x'; MOST];
        assert_eq!(reader.push(&piece), Ok(()));
        assert_eq!(reader.push(b"y"), Err(Endless));
    }
}
