//! What only the hub keeps: machines and codes, the journals' bytes, feeds, outcomes.

mod apply;
mod backups;
mod claims;
mod codes;
mod facts;
mod feeds;
mod journals;
mod leases;
mod nodes;
mod proofs;
mod recovery;
mod relations;
mod release;

pub use backups::Backup;
pub use claims::Collisions;
pub use codes::{Bound, Code};
pub use feeds::{CITY, Entry, Head, Known, Page};
pub use journals::{Batch, Journal};
pub use nodes::Node;
pub use proofs::Equal;
pub use release::{Blocking, Left, Reader, Statement};
