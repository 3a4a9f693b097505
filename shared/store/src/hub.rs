//! What only the hub keeps.
