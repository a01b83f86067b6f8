//! Many files as one: `tar`, compressed by gzip. It is made while it is sent, piece by piece, so that neither an archive nor a file
//! is ever whole in memory or on a disk for it. The same files give the same bytes.

use std::fs::File;
use std::io::{self, Read, Take, Write};
use std::path::Path;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use tar::{Builder, EntryType, Header};

use crate::beneath::Beneath;

/// How much is read, and how much is sent, at once, in bytes.
const PIECE: usize = 64 << 10;
/// The unit in which archives are written, in bytes (POSIX.1-2017, pax, ustar interchange format).
const BLOCK: usize = 512;

/// A file of an archive.
#[derive(Clone, Debug)]
pub struct Member {
    /// Its path: in the archive, and below the folder.
    pub path: String,
    /// Its size in bytes; a file of another size is refused.
    pub size: u64,
}

/// An archive that is being made.
#[derive(Debug)]
pub struct Archive {
    folder: Beneath,
    members: std::vec::IntoIter<Member>,
    /// Seconds since 1970-01-01 UTC: all files have it.
    modified: u64,
    /// What is left of the file that is being read.
    open: Option<(Take<File>, u64)>,
    /// None: the end was taken.
    encoder: Option<GzEncoder<Vec<u8>>>,
}

impl Archive {
    /// Of these files below a folder. Looks at all of them, so that what is missing is found before anything is sent.
    ///
    /// # Errors
    /// A file is not there, or has another size.
    pub fn open(folder: &Path, members: Vec<Member>, modified: u64) -> io::Result<Self> {
        let folder = Beneath::open(&folder.canonicalize()?)?;
        for member in &members {
            file_of_size(&folder, &member.path, member.size)?;
        }
        Ok(Self {
            folder,
            members: members.into_iter(),
            modified,
            open: None,
            encoder: Some(GzEncoder::new(Vec::new(), Compression::default())),
        })
    }

    /// The next piece; none after the last. It reads as much as it takes.
    ///
    /// # Errors
    /// A file cannot be read, or is another one than before.
    pub fn piece(&mut self) -> io::Result<Option<Bytes>> {
        let mut buffer = vec![0; PIECE];
        while let Some(encoder) = &mut self.encoder {
            if encoder.get_ref().len() >= PIECE {
                return Ok(Some(std::mem::take(encoder.get_mut()).into()));
            }
            if let Some((file, size)) = &mut self.open {
                let count = file.read(&mut buffer)?;
                encoder.write_all(buffer.get(..count).unwrap_or_default())?;
                if count > 0 {
                    continue;
                }
                if file.limit() > 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                encoder.write_all(&padding(*size))?;
                self.open = None;
            } else if let Some(member) = self.members.next() {
                encoder.write_all(&head(&member, self.modified)?)?;
                let file = file_of_size(&self.folder, &member.path, member.size)?;
                self.open = Some((file.take(member.size), member.size));
            } else {
                // Two empty blocks are the end.
                encoder.write_all(&[0; 2 * BLOCK])?;
                let last = self.encoder.take().map(GzEncoder::finish).transpose()?;
                return Ok(last.map(Bytes::from));
            }
        }
        Ok(None)
    }
}

/// What stands before the content of a file.
fn head(member: &Member, modified: u64) -> io::Result<Vec<u8>> {
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::Regular);
    header.set_size(member.size);
    header.set_mode(0o644);
    header.set_mtime(modified);
    let mut builder = Builder::new(Vec::new());
    builder.append_data(&mut header, &member.path, io::empty())?;
    Ok(std::mem::take(builder.get_mut()))
}

/// What fills the last block of a file of this size.
fn padding(size: u64) -> Vec<u8> {
    let used = usize::try_from(size % BLOCK as u64).unwrap_or_default();
    vec![0; (BLOCK - used) % BLOCK]
}

/// A regular file below a folder, which is reached without following a link.
///
/// # Errors
/// It is not there, or has another size.
pub(super) fn file_of_size(folder: &Beneath, path: &str, size: u64) -> io::Result<File> {
    let file = match path.rsplit_once('/') {
        None => folder.file(path)?,
        Some((folders, name)) => {
            let mut names = folders.split('/');
            let first = folder.folder(names.next().unwrap_or_default())?;
            let within = names.try_fold(first, |folder, name| folder.folder(name))?;
            within.file(name)?
        }
    };
    match file.metadata()?.len() {
        found if found == size => Ok(file),
        found => {
            let message = format!("{path} had {size} bytes, and has {found}");
            Err(io::Error::other(message))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use flate2::read::GzDecoder;

    use super::*;

    /// Bytes that nothing makes shorter.
    fn noise(size: usize) -> Vec<u8> {
        let mut state = 1_u32;
        let next = |_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let [_, _, _, byte] = state.to_le_bytes();
            byte
        };
        (0..size).map(next).collect()
    }

    fn written(files: &[(&str, usize)]) -> (tempfile::TempDir, Vec<Member>) {
        let folder = tempfile::tempdir().unwrap();
        let member = |(path, size): &(&str, usize)| {
            let file = folder.path().join(path);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, noise(*size)).unwrap();
            Member {
                path: (*path).to_owned(),
                size: *size as u64,
            }
        };
        let members = files.iter().map(member).collect();
        (folder, members)
    }

    fn pieces(mut archive: Archive) -> io::Result<Vec<Bytes>> {
        let mut pieces = Vec::new();
        while let Some(piece) = archive.piece()? {
            pieces.push(piece);
        }
        Ok(pieces)
    }

    #[test]
    fn an_archive_has_all_files_as_they_are() {
        let long = format!("{}/{}.txt", "folder/".repeat(20), "name".repeat(30));
        let long = long.replace("//", "/");
        let sizes = [
            ("a.csv", 0),
            ("b/c.txt", 511),
            ("b/d", 512),
            (long.as_str(), 513),
            ("e.bin", 1 << 20),
        ];
        let (folder, members) = written(&sizes);
        let open = || Archive::open(folder.path(), members.clone(), 1_600_000_000).unwrap();
        let pieces = pieces(open()).unwrap();
        assert!(pieces.len() > 2);
        assert!(pieces.iter().all(|piece| piece.len() < 4 * PIECE));
        let bytes = pieces.concat();
        let mut read = tar::Archive::new(GzDecoder::new(bytes.as_slice()));
        let mut found = Vec::new();
        for entry in read.entries().unwrap() {
            let mut entry = entry.unwrap();
            let path = entry.path().unwrap().to_str().unwrap().to_owned();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            assert_eq!(content, fs::read(folder.path().join(&path)).unwrap());
            assert_eq!(entry.header().mtime().unwrap(), 1_600_000_000);
            found.push((path, content.len()));
        }
        assert!(
            found
                .iter()
                .map(|(path, size)| (path.as_str(), *size))
                .eq(sizes)
        );
        assert_eq!(super::tests::pieces(open()).unwrap().concat(), bytes);
    }

    #[test]
    fn an_archive_of_nothing_is_one() {
        let (folder, members) = written(&[]);
        let archive = Archive::open(folder.path(), members, 0).unwrap();
        let bytes = pieces(archive).unwrap().concat();
        let mut read = tar::Archive::new(GzDecoder::new(bytes.as_slice()));
        assert_eq!(read.entries().unwrap().count(), 0);
    }

    #[test]
    fn what_is_another_file_is_refused() {
        let (folder, members) = written(&[("a", 10), ("b", 1 << 20)]);
        let open = || Archive::open(folder.path(), members.clone(), 0);
        let begun = open().unwrap();
        fs::write(folder.path().join("b"), "short").unwrap();
        assert!(pieces(begun).is_err());
        assert!(open().is_err());
        fs::remove_file(folder.path().join("b")).unwrap();
        std::os::unix::fs::symlink("a", folder.path().join("b")).unwrap();
        assert!(open().is_err());
    }
}
