//! What can go wrong with a store, by what to do about it.

use std::path::PathBuf;

use domain::digest::RowHash;
use domain::record::RecordKey;

/// Why the store could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process holds the write lock; again in a moment.
    #[error("the database is busy: another process is writing")]
    Busy,
    /// The disk is full; nothing was saved.
    #[error("the disk is full: nothing was saved; free some space and try again")]
    Full,
    /// The file is damaged.
    #[error("the database is damaged: {0}; keep the folder as it is and restore a backup")]
    Corrupt(String),
    /// The file's log was taken away while it was being copied into it: the file is new in part.
    #[error(
        "{0} is half written: its -wal file was taken away while it was being copied into it. Put that file back \
         beside it; where it is gone, restore a backup"
    )]
    HalfCopied(PathBuf),
    /// The file was written by a newer program; it is left as it is.
    #[error("the database was written by a newer program (generation {found}, known {known})")]
    SchemaTooNew {
        /// The file's generation.
        found: usize,
        /// The newest that this program knows.
        known: usize,
    },
    /// Stored bytes that do not read back: a bug or damage.
    #[error("stored bytes cannot be read: {0}")]
    Unreadable(&'static str),
    /// A row that is not as it was written: nothing is decided on it.
    #[error(
        "the row of {} of kind {} is not as it was written, and nothing is decided on it: see verify, and restore a \
         backup", .key.id, .key.kind
    )]
    Damaged {
        /// Whose row.
        key: RecordKey,
        /// The hash with which it was written; zeros where that cannot be read either.
        stored: RowHash,
    },
    /// The disk refuses to write or read.
    #[error("the disk cannot be read or written: {0}")]
    Disk(String),
    /// The writer's thread has ended.
    #[error("the store is closed")]
    Closed,
    /// Anything else SQLite says.
    #[error("the database refuses: {0}")]
    Broken(String),
}

impl StoreError {
    /// The same for a clerk, in Chinese: what, and what to do.
    pub fn text_zh(&self) -> String {
        match self {
            Self::Busy => "数据库正忙:另一个程序正在写入,请稍后再试。".into(),
            Self::Full => "磁盘已满:本次内容未保存。请清理磁盘空间后重试。".into(),
            Self::Corrupt(what) => {
                format!("数据库文件损坏({what})。请保留整个数据文件夹,用备份恢复。")
            }
            Self::HalfCopied(file) => format!(
                "数据库 {} 只写入了一半:它的 -wal 文件在写入过程中被移走。请把该文件放回原处;如已丢失,请用备份恢复。",
                file.display()
            ),
            Self::SchemaTooNew { found, known } => {
                format!("数据库由更新版本的程序写入({found} > {known}),请升级程序;数据未改动。")
            }
            Self::Unreadable(what) => format!("存储的内容无法读取({what}),请联系中心。"),
            Self::Damaged { key, .. } => {
                format!(
                    "记录 {} 与写入时不符,不能据此办理。请核查(verify)并用备份恢复。",
                    key.id
                )
            }
            Self::Disk(what) => format!("磁盘读写失败({what})。请检查磁盘后重试。"),
            Self::Closed => "程序正在退出,本次内容未保存。".into(),
            Self::Broken(what) => format!("数据库拒绝了操作({what}),请联系中心。"),
        }
    }

    /// Whether the same call may succeed later without a person's help.
    pub const fn is_passing(&self) -> bool {
        matches!(self, Self::Busy | Self::Full | Self::Disk(_))
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode;
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy,
            Some(ErrorCode::DiskFull) => Self::Full,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                Self::Corrupt(error.to_string())
            }
            Some(
                ErrorCode::SystemIoFailure
                | ErrorCode::ReadOnly
                | ErrorCode::CannotOpen
                | ErrorCode::PermissionDenied,
            ) => Self::Disk(error.to_string()),
            _ => Self::Broken(error.to_string()),
        }
    }
}
