//! Walks copied stacks by the unwind tables of the loaded files, and names the frames.

use std::borrow::Cow;
use std::fs::File;
use std::ops::Range;

use framehop::{
    CacheNative, ExplicitModuleSectionInfo, MayAllocateDuringUnwind, Module, UnwindRegsNative,
    Unwinder, UnwinderNative,
};
use object::{
    Object, ObjectSection, ObjectSegment, ObjectSymbol, ReadCache, SegmentFlags, SymbolKind,
};

use super::sampler::Sample;

/// The maximum number of frames; the outermost ones beyond it are left out.
const DEEPEST: usize = 256;

type Tables = Vec<u8>;

/// The program and its libraries.
pub struct Walker {
    unwinder: UnwinderNative<Tables, MayAllocateDuringUnwind>,
    cache: CacheNative<MayAllocateDuringUnwind>,
    loaded: Vec<Loaded>,
}

/// One file in memory.
struct Loaded {
    path: String,
    range: Range<u64>,
    /// The difference between addresses in memory and in the file.
    shift: u64,
}

impl Default for Walker {
    /// The files that are loaded now, without those that `dlopen` loads later.
    fn default() -> Self {
        let mut walker = Self {
            unwinder: UnwinderNative::new(),
            cache: CacheNative::new(),
            loaded: Vec::new(),
        };
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
        for (path, range, offset) in executable(&maps) {
            // Without a readable program file, stacks are walked by frame pointers.
            let added = walker.add(&path, range.clone(), offset);
            if added.is_none() {
                tracing::debug!(path, "unwind tables cannot be read");
            }
        }
        walker
    }
}

impl Walker {
    fn add(&mut self, path: &str, range: Range<u64>, offset: u64) -> Option<()> {
        let cache = ReadCache::new(File::open(path).ok()?);
        let file = object::File::parse(&cache).ok()?;
        // A mapping begins at a page boundary, a segment anywhere: they overlap.
        let mapped = offset..offset + (range.end - range.start);
        let segment = file.segments().find(|segment| {
            let (begin, length) = segment.file_range();
            is_executable(segment.flags()) && begin < mapped.end && mapped.start < begin + length
        })?;
        let in_file = segment
            .address()
            .wrapping_add(offset)
            .wrapping_sub(segment.file_range().0);
        let shift = range.start.wrapping_sub(in_file);
        let place = |name: &str| {
            let section = file.section_by_name(name)?;
            Some(section.address()..section.address() + section.size())
        };
        let data = |name: &str| {
            let section = file.section_by_name(name)?;
            section.uncompressed_data().ok().map(Cow::into_owned)
        };
        let tables = ExplicitModuleSectionInfo {
            base_svma: 0,
            text_svma: place(".text"),
            got_svma: place(".got"),
            eh_frame_svma: place(".eh_frame"),
            eh_frame: data(".eh_frame"),
            eh_frame_hdr_svma: place(".eh_frame_hdr"),
            eh_frame_hdr: data(".eh_frame_hdr"),
            ..ExplicitModuleSectionInfo::default()
        };
        let module = Module::new(path.to_owned(), range.clone(), shift, tables);
        self.unwinder.add_module(module);
        self.loaded.push(Loaded {
            path: path.to_owned(),
            range,
            shift,
        });
        Some(())
    }

    /// The addresses of a stack, from the outermost frame inwards.
    pub fn frames(&mut self, sample: &Sample<'_>) -> Vec<u64> {
        let mut read = |address: u64| {
            let place = address.checked_sub(sample.sp).ok_or(())?;
            let place = usize::try_from(place).map_err(drop)?;
            let word = sample.stack.get(place..place.checked_add(8).ok_or(())?);
            let word: [u8; 8] = word.ok_or(())?.try_into().map_err(drop)?;
            Ok(u64::from_ne_bytes(word))
        };
        let mut iterator =
            self.unwinder
                .iter_frames(sample.pc, registers(sample), &mut self.cache, &mut read);
        let mut frames = Vec::new();
        while frames.len() < DEEPEST {
            match iterator.next() {
                // For a return address, the address of the call.
                Ok(Some(frame)) => frames.push(frame.address_for_lookup()),
                _ => break,
            }
        }
        frames.reverse();
        frames
    }

    /// The names of these addresses, in the same order.
    pub fn names(&self, addresses: &[u64]) -> Vec<String> {
        let tables: Vec<Symbols> = self.loaded.iter().map(Symbols::of).collect();
        let name = |address: &u64| {
            let place = self
                .loaded
                .iter()
                .position(|loaded| loaded.range.contains(address));
            match place {
                Some(place) => tables[place].name(address.wrapping_sub(self.loaded[place].shift)),
                None => "[unknown]".to_owned(),
            }
        };
        addresses.iter().map(name).collect()
    }
}

/// The functions of a file by their addresses in it.
struct Symbols {
    /// The name for addresses without a symbol.
    file: String,
    functions: Vec<(Range<u64>, String)>,
}

impl Symbols {
    fn of(loaded: &Loaded) -> Self {
        let file = loaded.path.rsplit('/').next().unwrap_or_default();
        Self {
            file: format!("[{file}]"),
            functions: functions(&loaded.path).unwrap_or_default(),
        }
    }

    fn name(&self, address: u64) -> String {
        let after = self
            .functions
            .partition_point(|(range, _)| range.start <= address);
        let before = after.checked_sub(1).map(|place| &self.functions[place]);
        match before.filter(|(range, _)| range.contains(&address)) {
            Some((_, name)) => format!("{:#}", rustc_demangle::demangle(name)),
            None => self.file.clone(),
        }
    }
}

fn functions(path: &str) -> Option<Vec<(Range<u64>, String)>> {
    let cache = ReadCache::new(File::open(path).ok()?);
    let file = object::File::parse(&cache).ok()?;
    let all = file.symbols().chain(file.dynamic_symbols());
    let functions = all.filter(|symbol| symbol.kind() == SymbolKind::Text && symbol.size() > 0);
    let mut found: Vec<(Range<u64>, String)> = functions
        .filter_map(|symbol| {
            let range = symbol.address()..symbol.address() + symbol.size();
            Some((range, symbol.name().ok()?.to_owned()))
        })
        .collect();
    found.sort_by_key(|(range, _)| range.start);
    Some(found)
}

fn is_executable(flags: SegmentFlags) -> bool {
    matches!(flags, SegmentFlags::Elf { p_flags } if p_flags & object::elf::PF_X != 0)
}

/// Path, address and offset of each executable part of a file.
fn executable(maps: &str) -> Vec<(String, Range<u64>, u64)> {
    let of_line = |line: &str| {
        let mut fields = line.split_ascii_whitespace();
        let (begin, end) = fields.next()?.split_once('-')?;
        let is_executable = fields.next()?.contains('x');
        let number = |text: &str| u64::from_str_radix(text, 16).ok();
        let offset = number(fields.next()?)?;
        let path = fields.nth(2).filter(|path| path.starts_with('/'))?;
        is_executable.then_some(())?;
        Some((path.to_owned(), number(begin)?..number(end)?, offset))
    };
    maps.lines().filter_map(of_line).collect()
}

#[cfg(target_arch = "x86_64")]
fn registers(sample: &Sample<'_>) -> UnwindRegsNative {
    UnwindRegsNative::new(sample.pc, sample.sp, sample.fp)
}

#[cfg(target_arch = "aarch64")]
fn registers(sample: &Sample<'_>) -> UnwindRegsNative {
    UnwindRegsNative::new(sample.lr, sample.sp, sample.fp)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_files_that_can_be_executed_are_found() {
        let maps = "\
55d0c0000000-55d0c0100000 r--p 00000000 08:01 1 /bin/own
55d0c0100000-55d0c0900000 r-xp 00100000 08:01 1 /bin/own
7f0000000000-7f0000001000 rw-p 00000000 00:00 0
7ffc00000000-7ffc00001000 r-xp 00000000 00:00 0 [vdso]
";
        let found = executable(maps);
        let expected = (
            "/bin/own".to_owned(),
            0x55d0_c010_0000..0x55d0_c090_0000,
            0x10_0000,
        );
        assert_eq!(found, [expected]);
    }
}
