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
mod recovery;
mod release;

pub use backups::Backup;
pub use claims::Collisions;
pub use codes::{Bound, Code};
pub use feeds::{CITY, Entry, Head, Known, Page};
pub use journals::{Batch, Journal};
pub use nodes::Node;
pub use release::{Blocking, Left, Reader, Statement};
