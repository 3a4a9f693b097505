//! SQLite's way to the simulated disks.
//!
//! Everything runs on one thread; a handle that was opened before a power cut answers with errors only.

#![allow(unsafe_code, reason = "SQLite's interface for file systems is C")]

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;
use std::rc::Rc;
use std::sync::Once;

use rusqlite::ffi;

use super::{DISKS, File, Machine, slip};
use crate::simulation::chance::Chance;

/// Days from the Julian epoch to 1970, in milliseconds.
const JULIAN_1970_MS: i64 = 210_866_760_000_000;
const PATH_MAX: usize = 512;

/// Who holds which lock of a file: by handle, SQLite's level.
#[derive(Debug, Default, Clone)]
pub(super) struct Locks(BTreeMap<u64, c_int>);

/// The index of the write-ahead log, which connections share in memory.
#[derive(Debug, Default)]
pub(super) struct Shared {
    regions: RefCell<Vec<Box<[u64]>>>,
    slots: RefCell<BTreeMap<c_int, Slot>>,
}

/// A lock of the shared index: who has it alone, and who has it with others.
type Slot = (Option<u64>, BTreeSet<u64>);

/// An open file.
struct Handle {
    number: u64,
    file: Rc<RefCell<File>>,
    machine: Rc<RefCell<Machine>>,
    life: u64,
    shared: Rc<Shared>,
    is_temporary: bool,
    /// Whether it is a write-ahead log.
    is_log: bool,
}

#[repr(C)]
struct Opened {
    base: ffi::sqlite3_file,
    handle: *mut Handle,
}

static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};

/// Makes the simulated disks the file system of every database that this process opens from now on.
///
/// # Errors
/// Where SQLite refuses it.
pub fn register() -> Result<(), String> {
    static ONCE: Once = Once::new();
    let mut code = ffi::SQLITE_OK;
    ONCE.call_once(|| {
        let vfs = Box::leak(Box::new(ffi::sqlite3_vfs {
            iVersion: 2,
            szOsFile: c_int::try_from(size_of::<Opened>()).unwrap_or(c_int::MAX),
            mxPathname: c_int::try_from(PATH_MAX).unwrap_or(c_int::MAX),
            pNext: ptr::null_mut(),
            zName: c"simulated".as_ptr(),
            pAppData: ptr::null_mut(),
            xOpen: Some(open),
            xDelete: Some(delete),
            xAccess: Some(access),
            xFullPathname: Some(full_pathname),
            xDlOpen: None,
            xDlError: None,
            xDlSym: None,
            xDlClose: None,
            xRandomness: Some(randomness),
            xSleep: Some(sleep),
            xCurrentTime: Some(current_time),
            xGetLastError: Some(last_error),
            xCurrentTimeInt64: Some(current_time_ms),
            xSetSystemCall: None,
            xGetSystemCall: None,
            xNextSystemCall: None,
        }));
        // SAFETY: the structure lives as long as the process, and its functions keep SQLite's contract.
        code = unsafe { ffi::sqlite3_vfs_register(vfs, 1) };
    });
    (code == ffi::SQLITE_OK)
        .then_some(())
        .ok_or_else(|| format!("SQLite refuses the simulated disks ({code})"))
}

/// # Safety
/// `file` is what [`open`] filled.
unsafe fn handle<'a>(file: *mut ffi::sqlite3_file) -> &'a mut Handle {
    // SAFETY: by the contract, and SQLite calls from one thread, one call at a time.
    unsafe { &mut *(*file.cast::<Opened>()).handle }
}

impl Handle {
    /// Whether the machine has lost its power since this was opened.
    fn is_dead(&self) -> bool {
        let machine = self.machine.borrow();
        machine.is_off || machine.life != self.life
    }

    /// Counts a write or sync and meets the faults that were planned for it.
    fn mutates(&self, failed: c_int) -> Result<(), c_int> {
        if self.is_dead() {
            return Err(failed);
        }
        if self.is_temporary {
            return Ok(());
        }
        let mut machine = self.machine.borrow_mut();
        let number = machine.writes;
        machine.writes += 1;
        if machine.cut_at == Some(number) {
            machine.lose_power();
            machine.met.cuts += 1;
            return Err(failed);
        }
        if machine.broken_from.is_some_and(|from| number >= from) {
            machine.met.broken += 1;
            return Err(failed);
        }
        if machine.fail_at == Some(number) {
            machine.met.errors += 1;
            return Err(failed);
        }
        let is_over = machine.full_until.is_some_and(|until| number > until);
        let is_full = machine.full_from.is_some_and(|from| number >= from) && !is_over;
        if is_full && failed == ffi::SQLITE_IOERR_WRITE {
            machine.met.full += 1;
            return Err(ffi::SQLITE_FULL);
        }
        Ok(())
    }
}

unsafe extern "C" fn open(
    _: *mut ffi::sqlite3_vfs,
    name: ffi::sqlite3_filename,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    // SAFETY: SQLite gives room for `szOsFile` bytes; without methods it will not call close.
    unsafe { (*file).pMethods = ptr::null() };
    let named = (!name.is_null()).then(|| {
        // SAFETY: a name that is not null ends with a zero byte.
        unsafe { CStr::from_ptr(name) }
            .to_string_lossy()
            .into_owned()
    });
    let Some(handle) = open_handle(named, flags) else {
        return ffi::SQLITE_CANTOPEN;
    };
    let opened = file.cast::<Opened>();
    // SAFETY: as above; the handle is freed by `close`.
    unsafe {
        (*opened).handle = Box::into_raw(Box::new(handle));
        (*opened).base.pMethods = &raw const METHODS;
        if !out_flags.is_null() {
            *out_flags = flags;
        }
    }
    ffi::SQLITE_OK
}

fn open_handle(named: Option<String>, flags: c_int) -> Option<Handle> {
    thread_local! {
        static OPENED: Cell<u64> = const { Cell::new(0) };
    }
    let number = OPENED.replace(OPENED.get() + 1);
    let Some(name) = named else {
        return Some(Handle {
            number,
            file: Rc::default(),
            machine: Rc::default(),
            life: 0,
            shared: Rc::default(),
            is_temporary: true,
            is_log: false,
        });
    };
    DISKS.with_borrow_mut(|disks| {
        let machine = disks
            .machines
            .iter()
            .find(|(prefix, _)| name.starts_with(*prefix));
        let machine = Rc::clone(machine?.1);
        if machine.borrow().is_off {
            return None;
        }
        if !disks.files.contains_key(&name) && flags & ffi::SQLITE_OPEN_CREATE == 0 {
            return None;
        }
        let file = disks.file(&name);
        let (life, shared) = (machine.borrow().life, Rc::clone(&file.borrow().shared));
        // Programs ask the real file system whether there is a database.
        if flags & ffi::SQLITE_OPEN_MAIN_DB != 0 {
            std::fs::OpenOptions::new()
                .create(true)
                .append(true)
                .open(&name)
                .ok()?;
        }
        Some(Handle {
            number,
            file,
            machine,
            life,
            shared,
            is_temporary: false,
            is_log: flags & ffi::SQLITE_OPEN_WAL != 0,
        })
    })
}

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    let opened = file.cast::<Opened>();
    // SAFETY: made by `open`, closed once.
    let handle = unsafe { Box::from_raw((*opened).handle) };
    if !handle.is_dead() {
        handle.file.borrow_mut().locks.0.remove(&handle.number);
        handle.shared.release(handle.number);
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn read(
    file: *mut ffi::sqlite3_file,
    into: *mut c_void,
    amount: c_int,
    offset: i64,
) -> c_int {
    // SAFETY: SQLite's contract: `into` has room for `amount` bytes.
    let (handle, into) = unsafe {
        let amount = usize::try_from(amount).unwrap_or(0);
        (
            handle(file),
            std::slice::from_raw_parts_mut(into.cast::<u8>(), amount),
        )
    };
    if handle.is_dead() && !handle.is_temporary {
        return ffi::SQLITE_IOERR_READ;
    }
    let file = handle.file.borrow();
    let offset = usize::try_from(offset).unwrap_or(usize::MAX);
    let there = file.live.get(offset..).unwrap_or_default();
    let length = there.len().min(into.len());
    into[..length].copy_from_slice(&there[..length]);
    into[length..].fill(0);
    if length < into.len() {
        ffi::SQLITE_IOERR_SHORT_READ
    } else {
        ffi::SQLITE_OK
    }
}

unsafe extern "C" fn write(
    file: *mut ffi::sqlite3_file,
    from: *const c_void,
    amount: c_int,
    offset: i64,
) -> c_int {
    // SAFETY: SQLite's contract: `from` holds `amount` bytes.
    let (handle, from) = unsafe {
        let amount = usize::try_from(amount).unwrap_or(0);
        (
            handle(file),
            std::slice::from_raw_parts(from.cast::<u8>(), amount),
        )
    };
    if let Err(code) = handle.mutates(ffi::SQLITE_IOERR_WRITE) {
        return code;
    }
    let offset = usize::try_from(offset).unwrap_or(usize::MAX);
    handle.file.borrow_mut().write(offset, from);
    ffi::SQLITE_OK
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, size: i64) -> c_int {
    // SAFETY: SQLite's contract.
    let handle = unsafe { handle(file) };
    if let Err(code) = handle.mutates(ffi::SQLITE_IOERR_TRUNCATE) {
        return code;
    }
    let length = usize::try_from(size).unwrap_or(0);
    handle.file.borrow_mut().truncate(length);
    ffi::SQLITE_OK
}

unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, _: c_int) -> c_int {
    // SAFETY: SQLite's contract.
    let handle = unsafe { handle(file) };
    if let Err(code) = handle.mutates(ffi::SQLITE_IOERR_FSYNC) {
        if handle.machine.borrow().failed_syncs_lose {
            handle.file.borrow_mut().pending.clear();
        }
        return code;
    }
    let mut machine = handle.machine.borrow_mut();
    machine.syncs += 1;
    if machine.syncs_lie {
        machine.met.lies += 1;
    } else if !slip().is_made(handle.is_log) {
        handle.file.borrow_mut().sync();
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn file_size(file: *mut ffi::sqlite3_file, size: *mut i64) -> c_int {
    // SAFETY: SQLite's contract.
    unsafe {
        let handle = handle(file);
        if handle.is_dead() && !handle.is_temporary {
            return ffi::SQLITE_IOERR_FSTAT;
        }
        *size = i64::try_from(handle.file.borrow().live.len()).unwrap_or(i64::MAX);
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn lock(file: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    // SAFETY: SQLite's contract.
    let handle = unsafe { handle(file) };
    if handle.is_dead() {
        return ffi::SQLITE_IOERR_LOCK;
    }
    let mut file = handle.file.borrow_mut();
    let others = file
        .locks
        .0
        .iter()
        .filter(|(who, _)| **who != handle.number);
    let highest = others
        .map(|(_, level)| *level)
        .max()
        .unwrap_or(ffi::SQLITE_LOCK_NONE);
    let is_free = match level {
        ffi::SQLITE_LOCK_SHARED => highest < ffi::SQLITE_LOCK_PENDING,
        ffi::SQLITE_LOCK_RESERVED => highest < ffi::SQLITE_LOCK_RESERVED,
        _ => highest == ffi::SQLITE_LOCK_NONE,
    };
    if !is_free {
        return ffi::SQLITE_BUSY;
    }
    let held = file.locks.0.entry(handle.number).or_insert(level);
    *held = (*held).max(level);
    ffi::SQLITE_OK
}

unsafe extern "C" fn unlock(file: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    // SAFETY: SQLite's contract.
    let handle = unsafe { handle(file) };
    if handle.is_dead() {
        return ffi::SQLITE_OK;
    }
    let locks = &mut handle.file.borrow_mut().locks.0;
    if level == ffi::SQLITE_LOCK_NONE {
        locks.remove(&handle.number);
    } else {
        locks.insert(handle.number, level);
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn check_reserved_lock(file: *mut ffi::sqlite3_file, out: *mut c_int) -> c_int {
    // SAFETY: SQLite's contract.
    unsafe {
        let locks = &handle(file).file.borrow().locks;
        let is_reserved = locks
            .0
            .values()
            .any(|level| *level >= ffi::SQLITE_LOCK_RESERVED);
        *out = c_int::from(is_reserved);
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn file_control(_: *mut ffi::sqlite3_file, _: c_int, _: *mut c_void) -> c_int {
    ffi::SQLITE_NOTFOUND
}

unsafe extern "C" fn sector_size(_: *mut ffi::sqlite3_file) -> c_int {
    // As SQLite says of files on Unix.
    4096
}

unsafe extern "C" fn device_characteristics(_: *mut ffi::sqlite3_file) -> c_int {
    // As SQLite says of files on Unix: a write does not hurt what lies beside it.
    ffi::SQLITE_IOCAP_POWERSAFE_OVERWRITE
}

unsafe extern "C" fn shm_map(
    file: *mut ffi::sqlite3_file,
    region: c_int,
    size: c_int,
    is_extending: c_int,
    out: *mut *mut c_void,
) -> c_int {
    // SAFETY: SQLite's contract; a region stays where it is until the last handle is gone.
    unsafe {
        let handle = handle(file);
        let mut regions = handle.shared.regions.borrow_mut();
        let (region, words) = (
            usize::try_from(region).unwrap_or(0),
            usize::try_from(size).unwrap_or(0) / 8,
        );
        while regions.len() <= region && is_extending != 0 {
            regions.push(vec![0; words].into_boxed_slice());
        }
        *out = regions
            .get_mut(region)
            .map_or(ptr::null_mut(), |region| region.as_mut_ptr().cast());
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn shm_lock(
    file: *mut ffi::sqlite3_file,
    offset: c_int,
    count: c_int,
    flags: c_int,
) -> c_int {
    // SAFETY: SQLite's contract.
    let handle = unsafe { handle(file) };
    if handle.is_dead() {
        return ffi::SQLITE_IOERR_SHMLOCK;
    }
    let mut slots = handle.shared.slots.borrow_mut();
    let me = handle.number;
    if flags & ffi::SQLITE_SHM_UNLOCK != 0 {
        for slot in offset..offset + count {
            if let Some((alone, together)) = slots.get_mut(&slot) {
                *alone = alone.filter(|who| *who != me);
                together.remove(&me);
            }
        }
        return ffi::SQLITE_OK;
    }
    let is_shared = flags & ffi::SQLITE_SHM_SHARED != 0;
    let is_free = (offset..offset + count).all(|slot| {
        slots.get(&slot).is_none_or(|(alone, together)| {
            let no_other = alone.is_none_or(|who| who == me);
            no_other && (is_shared || together.iter().all(|who| *who == me))
        })
    });
    if !is_free {
        return ffi::SQLITE_BUSY;
    }
    for slot in offset..offset + count {
        let (alone, together) = slots.entry(slot).or_default();
        if is_shared {
            together.insert(me);
        } else {
            *alone = Some(me);
        }
    }
    ffi::SQLITE_OK
}

impl Shared {
    fn release(&self, who: u64) {
        for (alone, together) in self.slots.borrow_mut().values_mut() {
            *alone = alone.filter(|holder| *holder != who);
            together.remove(&who);
        }
    }
}

unsafe extern "C" fn shm_barrier(_: *mut ffi::sqlite3_file) {}

unsafe extern "C" fn shm_unmap(file: *mut ffi::sqlite3_file, deletes: c_int) -> c_int {
    // SAFETY: SQLite's contract.
    let handle = unsafe { handle(file) };
    handle.shared.release(handle.number);
    if deletes != 0 && !handle.is_dead() {
        handle.file.borrow_mut().shared = Rc::default();
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn delete(_: *mut ffi::sqlite3_vfs, name: *const c_char, _: c_int) -> c_int {
    // SAFETY: SQLite's contract.
    let name = unsafe { CStr::from_ptr(name) }
        .to_string_lossy()
        .into_owned();
    DISKS.with_borrow_mut(|disks| {
        let machine = disks
            .machines
            .iter()
            .find(|(prefix, _)| name.starts_with(*prefix));
        if machine.is_none_or(|(_, machine)| machine.borrow().is_off) {
            return ffi::SQLITE_IOERR_DELETE;
        }
        if disks.remove(&name) {
            return ffi::SQLITE_OK;
        }
        ffi::SQLITE_IOERR_DELETE_NOENT
    })
}

unsafe extern "C" fn access(
    _: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    _: c_int,
    out: *mut c_int,
) -> c_int {
    // SAFETY: SQLite's contract.
    unsafe {
        let name = CStr::from_ptr(name).to_string_lossy().into_owned();
        let file = DISKS.with_borrow(|disks| disks.files.get(&name).cloned());
        // As on Unix: an empty file is no journal.
        *out = c_int::from(file.is_some_and(|file| !file.borrow().live.is_empty()));
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn full_pathname(
    _: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    room: c_int,
    out: *mut c_char,
) -> c_int {
    // SAFETY: SQLite's contract: `out` has room for `room` bytes.
    unsafe {
        let name = CStr::from_ptr(name).to_bytes_with_nul();
        if name.len() > usize::try_from(room).unwrap_or(0) {
            return ffi::SQLITE_CANTOPEN;
        }
        ptr::copy_nonoverlapping(name.as_ptr().cast(), out, name.len());
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn randomness(
    _: *mut ffi::sqlite3_vfs,
    amount: c_int,
    out: *mut c_char,
) -> c_int {
    // SAFETY: SQLite's contract.
    let out = unsafe {
        std::slice::from_raw_parts_mut(out.cast::<u8>(), usize::try_from(amount).unwrap_or(0))
    };
    // Drawn once for each simulation: the state of SQLite's own generator.
    Chance::new(super::whole::RANDOM.get(), "sqlite", 0).fill(out);
    amount
}

unsafe extern "C" fn sleep(_: *mut ffi::sqlite3_vfs, micros: c_int) -> c_int {
    // Nobody else runs meanwhile: waiting for a lock is only counted.
    micros
}

#[allow(clippy::cast_precision_loss, reason = "days as SQLite counts them")]
unsafe extern "C" fn current_time(_: *mut ffi::sqlite3_vfs, out: *mut f64) -> c_int {
    let ms = JULIAN_1970_MS + system::now_ms().cast_signed();
    // SAFETY: SQLite's contract.
    unsafe { *out = ms as f64 / 86_400_000.0 };
    ffi::SQLITE_OK
}

unsafe extern "C" fn current_time_ms(_: *mut ffi::sqlite3_vfs, out: *mut i64) -> c_int {
    // SAFETY: SQLite's contract.
    unsafe { *out = JULIAN_1970_MS + system::now_ms().cast_signed() };
    ffi::SQLITE_OK
}

unsafe extern "C" fn last_error(_: *mut ffi::sqlite3_vfs, _: c_int, _: *mut c_char) -> c_int {
    0
}
