//! What only a node keeps.
