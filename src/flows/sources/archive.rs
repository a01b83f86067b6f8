//! Archives: tar, tar.gz and zip, told apart by their first bytes.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use tar::{Archive, Entry, EntryType, PaxExtensions};
use zip::{ZipArchive, ZipReadOptions};

use super::unpack::{MOST_ENTRIES, Refused, Unpacker, show};

/// The most that a header of a tar archive may say beyond its 512 bytes, in bytes: a long name, mostly.
const LONGEST_HEADER: u64 = 64 << 10;
/// The most bytes of a tar archive that are none of files: headers and padding.
const MOST_HEADERS: u64 = 64 << 20;
/// What stands before the end of a ZIP64 archive, and how many bytes from the end of a file it can be: 20 of its own, 22 of what
/// follows it, and a comment (APPNOTE 4.3.15, 4.3.16).
const LOCATOR: [u8; 4] = *b"PK\x06\x07";
const LONGEST_END: u64 = 20 + 22 + (64 << 10);
/// The bits of a mode that tell what it is the mode of, and those of a regular file and a folder
/// (<https://man7.org/linux/man-pages/man7/inode.7.html>).
const KIND: u32 = 0o170_000;
const REGULAR: u32 = 0o100_000;
const FOLDER: u32 = 0o040_000;
/// The bit of a mode that lets the owner run it.
const EXECUTABLE: u32 = 0o100;

/// Unpacks an archive into an empty folder: at most so many MiB. Blocks.
pub(super) fn unpack(archive: File, folder: &Path, most_mib: u64) -> Result<(), Refused> {
    let mut archive = BufReader::new(archive);
    let mut start = [0_u8; 4];
    let length = read_start(&mut archive, &mut start).map_err(Refused::Disk)?;
    archive.seek(SeekFrom::Start(0)).map_err(Refused::Disk)?;
    let mut unpacker = Unpacker::new(folder, most_mib);
    match start {
        _ if length < start.len() => Err(Refused::Unknown),
        [0x1f, 0x8b, ..] => unpack_tar(MultiGzDecoder::new(archive), &mut unpacker, most_mib),
        [b'P', b'K', 3, 4] | [b'P', b'K', 5, 6] => unpack_zip(archive, &mut unpacker),
        _ => unpack_tar(archive, &mut unpacker, most_mib),
    }
}

fn read_start(archive: &mut impl Read, start: &mut [u8; 4]) -> io::Result<usize> {
    let mut bytes = Vec::new();
    archive.take(4).read_to_end(&mut bytes)?;
    for (to, from) in start.iter_mut().zip(&bytes) {
        *to = *from;
    }
    Ok(bytes.len())
}

/// Unpacks a tar archive. Headers that speak of the next entry are read here and not by the crate, which would read them into
/// memory however large they are.
fn unpack_tar(archive: impl Read, unpacker: &mut Unpacker, most_mib: u64) -> Result<(), Refused> {
    let most = most_mib
        .saturating_mul(1 << 20)
        .saturating_add(MOST_HEADERS);
    let mut archive = Archive::new(archive.take(most));
    // What headers say of the entry that follows them.
    let mut long_name = None;
    let mut is_tar = false;
    for entry in archive.entries().map_err(broken)?.raw(true) {
        let mut entry = match entry {
            Ok(entry) => entry,
            // Not even the first header.
            Err(_) if !is_tar => return Err(Refused::Unknown),
            Err(error) => return Err(broken(error)),
        };
        is_tar = true;
        let kind = entry.header().entry_type();
        let name = match long_name.take() {
            Some(name) => name,
            None => entry.header().path_bytes().into_owned(),
        };
        match kind {
            EntryType::XGlobalHeader => {
                unpacker.count()?;
                read_header(&mut entry)?;
            }
            EntryType::XHeader => {
                unpacker.count()?;
                long_name = pax_name(&read_header(&mut entry)?)?;
            }
            EntryType::GNULongName => {
                unpacker.count()?;
                let mut name = read_header(&mut entry)?;
                name.truncate(
                    name.iter()
                        .position(|byte| *byte == 0)
                        .unwrap_or(name.len()),
                );
                long_name = Some(name);
            }
            // Of old archives a folder is a file whose name ends in a slash.
            EntryType::Regular if name.ends_with(b"/") => unpacker.folder(&name)?,
            EntryType::Directory => unpacker.folder(&name)?,
            EntryType::Regular | EntryType::Continuous => {
                let size = entry.size();
                let is_executable = entry.header().mode().map_err(broken)? & EXECUTABLE != 0;
                if unpacker.file(&name, is_executable, &mut entry)? != size {
                    return Err(Refused::Broken(format!("{} is cut off", show(&name))));
                }
            }
            EntryType::Link | EntryType::Symlink | EntryType::GNULongLink => {
                return Err(Refused::Link(show(&name)));
            }
            _ => return Err(Refused::Special(show(&name))),
        }
    }
    if is_tar {
        Ok(())
    } else {
        Err(Refused::Unknown)
    }
}

/// What a header says beyond its 512 bytes.
fn read_header(entry: &mut Entry<'_, impl Read>) -> Result<Vec<u8>, Refused> {
    if entry.size() > LONGEST_HEADER {
        let message = format!("a header in it is larger than {LONGEST_HEADER} bytes");
        return Err(Refused::Broken(message));
    }
    let mut bytes = Vec::new();
    entry.read_to_end(&mut bytes).map_err(broken)?;
    Ok(bytes)
}

/// The name of the next entry, if the header says one.
fn pax_name(header: &[u8]) -> Result<Option<Vec<u8>>, Refused> {
    let mut name = None;
    for said in PaxExtensions::new(header) {
        let said = said.map_err(broken)?;
        match said.key_bytes() {
            b"path" => name = Some(said.value_bytes().to_vec()),
            // The entries would be others for whoever heeds it.
            b"size" => {
                return Err(Refused::Broken(
                    "a header in it says another size".to_owned(),
                ));
            }
            _ => {}
        }
    }
    Ok(name)
}

fn unpack_zip(mut archive: BufReader<File>, unpacker: &mut Unpacker) -> Result<(), Refused> {
    check_directory(&mut archive).map_err(broken)?;
    let mut archive = ZipArchive::new(archive).map_err(broken)?;
    if archive.len() > MOST_ENTRIES {
        return Err(Refused::TooMany);
    }
    for index in 0..archive.len() {
        let entry = archive.by_index_data(index).map_err(broken)?;
        let name = entry.name().map_err(broken)?.into_owned().into_bytes();
        let mode = entry.unix_mode().unwrap_or(0);
        if entry.is_symlink() {
            return Err(Refused::Link(show(&name)));
        }
        if !matches!(mode & KIND, 0 | REGULAR | FOLDER) {
            return Err(Refused::Special(show(&name)));
        }
        if entry.encrypted() {
            return Err(Refused::Encrypted(show(&name)));
        }
        if name.ends_with(b"/") {
            unpacker.folder(&name)?;
            continue;
        }
        let options = ZipReadOptions::new().enforce_header_consistency(true);
        let file = archive.by_index_with_options(index, options);
        let mut file = file.map_err(broken)?;
        unpacker.file(&name, mode & EXECUTABLE != 0, &mut file)?;
    }
    Ok(())
}

/// Refuses what has its list in the format for more than 65,535 entries: the crate makes room for as many as that says.
fn check_directory(archive: &mut BufReader<File>) -> io::Result<()> {
    let length = archive.seek(SeekFrom::End(0))?;
    archive.seek(SeekFrom::Start(length.saturating_sub(LONGEST_END)))?;
    let mut end = Vec::new();
    archive.take(LONGEST_END).read_to_end(&mut end)?;
    if end.windows(LOCATOR.len()).any(|bytes| bytes == LOCATOR) {
        return Err(io::Error::other("it is a ZIP64 archive"));
    }
    Ok(())
}

fn broken(error: impl std::fmt::Display) -> Refused {
    Refused::Broken(error.to_string())
}

#[cfg(test)]
mod tests;
