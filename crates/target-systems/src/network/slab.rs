//! Storage for temporary items, with ids that are never reused.

/// The id of an entry; a later entry at the same index has another generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Id {
    place: u32,
    generation: u32,
}

#[derive(Debug, Clone)]
pub(super) struct Slab<T> {
    entries: Vec<(u32, Option<T>)>,
    free: Vec<u32>,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            free: Vec::new(),
        }
    }
}

impl<T> Slab<T> {
    pub(super) fn insert(&mut self, value: T) -> Id {
        let place = match self.free.pop() {
            Some(place) => place,
            None => {
                self.entries.push((0, None));
                (self.entries.len() - 1) as u32
            }
        };
        let entry = &mut self.entries[place as usize];
        entry.1 = Some(value);
        Id {
            place,
            generation: entry.0,
        }
    }

    pub(super) fn get(&self, id: Id) -> Option<&T> {
        let (generation, value) = self.entries.get(id.place as usize)?;
        value.as_ref().filter(|_| *generation == id.generation)
    }

    pub(super) fn get_mut(&mut self, id: Id) -> Option<&mut T> {
        let (generation, value) = self.entries.get_mut(id.place as usize)?;
        value.as_mut().filter(|_| *generation == id.generation)
    }

    pub(super) fn remove(&mut self, id: Id) -> Option<T> {
        let (generation, value) = self.entries.get_mut(id.place as usize)?;
        if *generation != id.generation {
            return None;
        }
        let value = value.take()?;
        *generation = generation.wrapping_add(1);
        self.free.push(id.place);
        Some(value)
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len() - self.free.len()
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = Id> + '_ {
        let entries = self.entries.iter().enumerate();
        entries.filter_map(|(place, (generation, value))| {
            value.as_ref().map(|_| Id {
                place: place as u32,
                generation: *generation,
            })
        })
    }
}

impl Id {
    /// The id as one word, for external use.
    pub(super) fn word(self) -> u64 {
        u64::from(self.generation) << 32 | u64::from(self.place)
    }

    pub(super) fn from_word(word: u64) -> Self {
        Self {
            place: word as u32,
            generation: (word >> 32) as u32,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_id_does_not_reach_what_came_after_it() {
        let mut slab = Slab::default();
        let first = slab.insert('a');
        assert_eq!(slab.remove(first), Some('a'));
        let second = slab.insert('b');
        assert_eq!(slab.get(first), None);
        assert_eq!(slab.remove(first), None);
        assert_eq!(slab.get(second), Some(&'b'));
        assert_eq!(slab.len(), 1);
        assert_eq!(Id::from_word(second.word()), second);
    }
}
