//! Maps and sets by the names of a config: those of the standard library with a hash that is quick on short words.
//! A config is looked through name by name, so that the hash is a good part of the work.

use foldhash::fast::RandomState;

pub type HashMap<K, V> = std::collections::HashMap<K, V, RandomState>;
pub type HashSet<K> = std::collections::HashSet<K, RandomState>;
