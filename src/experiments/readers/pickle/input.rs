//! The bytes of a pickle and how far they have been read.

use super::PickleErrorKind as Kind;

pub(super) struct Input<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Input<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    pub(super) fn position(&self) -> usize {
        self.position
    }

    pub(super) fn byte(&mut self) -> Result<u8, Kind> {
        let [byte] = self.array()?;
        Ok(byte)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Kind> {
        self.take(N)?.try_into().map_err(|_| Kind::Truncated)
    }

    pub(super) fn counted4(&mut self) -> Result<&'a [u8], Kind> {
        let length = u32::from_le_bytes(self.array()?);
        self.take(usize::try_from(length).map_err(|_| Kind::Truncated)?)
    }

    pub(super) fn counted8(&mut self) -> Result<&'a [u8], Kind> {
        let length = u64::from_le_bytes(self.array()?);
        self.take(usize::try_from(length).map_err(|_| Kind::Truncated)?)
    }

    pub(super) fn take(&mut self, length: usize) -> Result<&'a [u8], Kind> {
        let end = self.position.checked_add(length).ok_or(Kind::Truncated)?;
        let bytes = self.bytes.get(self.position..end).ok_or(Kind::Truncated)?;
        self.position = end;
        Ok(bytes)
    }

    /// Up to the next line feed.
    pub(super) fn line(&mut self) -> Result<&'a [u8], Kind> {
        let rest = self.bytes.get(self.position..).ok_or(Kind::Truncated)?;
        let length = rest
            .iter()
            .position(|byte| *byte == b'\n')
            .ok_or(Kind::Truncated)?;
        self.position += length + 1;
        rest.get(..length).ok_or(Kind::Truncated)
    }
}
