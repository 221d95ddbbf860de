//! Tags: pairs of strings on a sample, interned per thread.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher};
use std::ops::BitOr;
use std::rc::Rc;
use std::sync::Arc;

use foldhash::fast::RandomState;

use crate::metric::MetricId;

/// Pairs, sorted by key, each key once.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Tags(Vec<(Box<str>, Box<str>)>);

impl Tags {
    /// The value of a tag.
    pub fn get(&self, key: &str) -> Option<&str> {
        let found = self.0.binary_search_by(|(k, _)| k.as_ref().cmp(key)).ok()?;
        Some(&self.0[found].1)
    }

    /// All pairs in order of their keys.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.0.iter().map(|(k, v)| (k.as_ref(), v.as_ref()))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Sets a tag.
    pub fn set(&mut self, key: &str, value: &str) {
        match self.0.binary_search_by(|(k, _)| k.as_ref().cmp(key)) {
            Ok(at) => self.0[at].1 = value.into(),
            Err(at) => self.0.insert(at, (key.into(), value.into())),
        }
    }

    /// Removes a tag.
    pub fn remove(&mut self, key: &str) {
        if let Ok(at) = self.0.binary_search_by(|(k, _)| k.as_ref().cmp(key)) {
            self.0.remove(at);
        }
    }
}

impl<K: AsRef<str>, V: AsRef<str>> FromIterator<(K, V)> for Tags {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        let mut tags = Self::default();
        for (key, value) in pairs {
            tags.set(key.as_ref(), value.as_ref());
        }
        tags
    }
}

/// An interned set of tags of one thread: cheap to clone, and two sets with equal content that come
/// from the same recorder are the same object.
#[derive(Debug, Clone)]
pub struct TagSet(pub(crate) Rc<Node>);

#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) tags: Arc<Tags>,
    /// The sub-metrics for samples with these tags: pairs of parent and sub-metric.
    pub(crate) matches: OnceCell<Box<[(MetricId, MetricId)]>>,
    /// The slot of the check that these tags name; found at its first sample.
    pub(crate) check_slot: Cell<Option<u32>>,
    /// The slot of the scenario and group that these tags name.
    pub(crate) part_slot: Cell<Option<u32>>,
    /// Sets derived from this one, by the hash of what was added.
    children: RefCell<HashMap<u64, Vec<Child>, RandomState>>,
}

#[derive(Debug)]
struct Child {
    added: Box<[(Box<str>, Box<str>)]>,
    set: TagSet,
}

impl TagSet {
    pub(crate) fn new(tags: Tags) -> Self {
        Self(Rc::new(Node {
            tags: Arc::new(tags),
            matches: OnceCell::new(),
            check_slot: Cell::new(None),
            part_slot: Cell::new(None),
            children: RefCell::default(),
        }))
    }

    /// The tags.
    pub fn tags(&self) -> &Tags {
        &self.0.tags
    }

    /// The tags, for another thread.
    pub fn shared(&self) -> Arc<Tags> {
        Arc::clone(&self.0.tags)
    }

    /// The value of a tag.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.tags.get(key)
    }

    /// Whether both are the same interned set.
    pub fn is(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

/// Interns the sets of one thread.
#[derive(Debug)]
pub(crate) struct Interner {
    hasher: RandomState,
    all: RefCell<HashMap<Arc<Tags>, TagSet, RandomState>>,
    root: TagSet,
    cached: Cell<usize>,
}

/// Cached derivations per thread. Beyond this number the caches are cleared, so that a script with unbounded tag
/// values becomes slower but the process does not grow.
const MAX_CACHED: usize = 200_000;

impl Interner {
    pub(crate) fn new(root: Tags) -> Self {
        let root = TagSet::new(root);
        let all = HashMap::from_iter([(root.shared(), root.clone())]);
        let hasher = RandomState::default();
        Self {
            hasher,
            all: RefCell::new(all),
            root,
            cached: Cell::new(0),
        }
    }

    pub(crate) fn root(&self) -> TagSet {
        self.root.clone()
    }

    /// `base` with `added` set. A repeated call costs one lookup and no allocation.
    pub(crate) fn extend(&self, base: &TagSet, added: &[(&str, &str)]) -> TagSet {
        let hash = self.hash(added);
        if let Some(known) = find_child(base, hash, added) {
            return known;
        }
        let mut tags = base.tags().clone();
        for (key, value) in added {
            tags.set(key, value);
        }
        let set = self.intern(tags);
        let added = added
            .iter()
            .map(|(k, v)| ((*k).into(), (*v).into()))
            .collect();
        let child = Child {
            added,
            set: set.clone(),
        };
        base.0
            .children
            .borrow_mut()
            .entry(hash)
            .or_default()
            .push(child);
        set
    }

    /// The set with exactly these tags.
    pub(crate) fn intern(&self, tags: Tags) -> TagSet {
        if let Some(known) = self.all.borrow().get(&tags) {
            return known.clone();
        }
        self.make_room();
        let set = TagSet::new(tags);
        self.all.borrow_mut().insert(set.shared(), set.clone());
        set
    }

    fn make_room(&self) {
        self.cached.set(self.cached.get() + 1);
        if self.cached.get() < MAX_CACHED {
            return;
        }
        let dropped = std::mem::take(&mut *self.all.borrow_mut());
        for set in dropped.values() {
            set.0.children.borrow_mut().clear();
        }
        self.all
            .borrow_mut()
            .insert(self.root.shared(), self.root.clone());
        self.cached.set(0);
    }

    fn hash(&self, pairs: &[(&str, &str)]) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        for (key, value) in pairs {
            hasher.write(key.as_bytes());
            hasher.write_u8(0xff);
            hasher.write(value.as_bytes());
            hasher.write_u8(0xfe);
        }
        hasher.finish()
    }
}

fn find_child(base: &TagSet, hash: u64, added: &[(&str, &str)]) -> Option<TagSet> {
    let children = base.0.children.borrow();
    let same = |child: &&Child| {
        child.added.len() == added.len()
            && child
                .added
                .iter()
                .zip(added)
                .all(|((k, v), a)| **k == *a.0 && **v == *a.1)
    };
    children
        .get(&hash)?
        .iter()
        .find(same)
        .map(|child| child.set.clone())
}

macro_rules! system_tags {
    ($($variant:ident = $bit:literal, $name:literal, $default:literal;)*) => {
        /// A tag that the driver sets by itself.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum SystemTag { $(#[doc = concat!("`", $name, "`")] $variant = 1 << $bit),* }

        impl SystemTag {
            /// All of them, in alphabetical order of their names.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// Its name.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            fn is_default(self) -> bool {
                match self { $(Self::$variant => $default),* }
            }
        }
    };
}

system_tags! {
    Check = 0, "check", true;
    Error = 1, "error", true;
    ErrorCode = 2, "error_code", true;
    ExpectedResponse = 3, "expected_response", true;
    Group = 4, "group", true;
    Ip = 5, "ip", false;
    Iter = 6, "iter", false;
    Method = 7, "method", true;
    Name = 8, "name", true;
    OcspStatus = 9, "ocsp_status", false;
    Proto = 10, "proto", true;
    Scenario = 11, "scenario", true;
    Service = 12, "service", true;
    Status = 13, "status", true;
    Subproto = 14, "subproto", true;
    TlsVersion = 15, "tls_version", true;
    Url = 16, "url", true;
    Vu = 17, "vu", false;
}

/// The system tags that are enabled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SystemTags(u32);

impl SystemTags {
    /// None.
    pub const NONE: Self = Self(0);

    /// Whether the tag is enabled.
    pub fn has(self, tag: SystemTag) -> bool {
        self.0 & tag as u32 != 0
    }
}

impl Default for SystemTags {
    fn default() -> Self {
        let on = SystemTag::ALL.iter().filter(|tag| tag.is_default());
        on.fold(Self::NONE, |set, tag| set | *tag)
    }
}

impl BitOr<SystemTag> for SystemTags {
    type Output = Self;

    fn bitor(self, tag: SystemTag) -> Self {
        Self(self.0 | tag as u32)
    }
}
