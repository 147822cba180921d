//! Notice of each unwinding of a stack by Rust, whatever panic hook there is.
//!
//! `std::panic::set_hook` replaces the hook by which a runner hears of panics, and `resume_unwind`
//! calls no hook at all. All of them end in `_Unwind_RaiseException` of libgcc_s
//! (`library/panic_unwind/src/gcc.rs`). A function of that name in a program comes before the one
//! of a library, as the dynamic linker resolves names (`ld.so(8)`), and can call that one.
#![allow(unsafe_code)]

use std::any::Any;
use std::sync::OnceLock;

/// Is told the payload of each panic whose unwinding begins, on the thread of that panic.
type Listener = fn(&(dyn Any + Send));

static LISTENER: OnceLock<Listener> = OnceLock::new();

/// Registers the function that is told of each unwinding. Only the first call counts. Where the
/// program has no dynamic linker, as with a static libc, nothing is told.
pub fn on_unwinding(listener: Listener) {
    #[cfg(not(target_feature = "crt-static"))]
    // The linker takes the function along where something refers to it.
    std::hint::black_box(interposed::_Unwind_RaiseException as *const ());
    LISTENER.get_or_init(|| listener);
}

#[cfg(not(target_feature = "crt-static"))]
mod interposed {
    use std::cell::Cell;
    use std::ffi::{c_int, c_void};
    use std::panic::{self, AssertUnwindSafe};
    use std::sync::atomic::{AtomicPtr, Ordering};

    use super::LISTENER;

    type Raise = unsafe extern "C-unwind" fn(*mut c_void) -> c_int;

    /// Class of the exceptions of Rust, as a text or as a number
    /// (`library/panic_unwind/src/gcc.rs`, `RUST_EXCEPTION_CLASS`; rustc 1.95 has the text).
    const RUST: [[u8; 8]; 2] = [*b"MOZ\0RUST", *b"TSUR\0ZOM"];

    thread_local! {
        /// The listener knows of the exception that is raised next.
        static IS_TOLD: Cell<bool> = const { Cell::new(false) };
    }

    /// Begins the unwinding for an exception, and tells the listener of it before.
    ///
    /// # Safety
    /// As for the function of the same name in libgcc_s, which this one calls.
    #[unsafe(no_mangle)]
    pub(super) unsafe extern "C-unwind" fn _Unwind_RaiseException(exception: *mut c_void) -> c_int {
        let raise = next();
        // SAFETY: exceptions begin with their class (Itanium C++ ABI, "Exception Handling").
        let class = unsafe { exception.cast::<[u8; 8]>().read() };
        let is_told = IS_TOLD.try_with(|told| told.replace(false)).unwrap_or(true);
        let Some(listener) = LISTENER.get().filter(|_| RUST.contains(&class) && !is_told) else {
            // SAFETY: the caller's promise is passed on.
            return unsafe { raise(exception) };
        };
        // The value of a panic is std's secret. So the panic is caught here, and passed on.
        // SAFETY: the caller's promise is passed on.
        match panic::catch_unwind(AssertUnwindSafe(|| unsafe { raise(exception) })) {
            Ok(code) => code,
            Err(payload) => {
                listener(&*payload);
                IS_TOLD.set(true);
                panic::resume_unwind(payload)
            }
        }
    }

    /// Returns the function of the same name in the library.
    fn next() -> Raise {
        static NEXT: AtomicPtr<c_void> = AtomicPtr::new(std::ptr::null_mut());
        let mut next = NEXT.load(Ordering::Relaxed);
        if next.is_null() {
            let name = c"_Unwind_RaiseException";
            // SAFETY: the name is a C string that lives across the call.
            next = unsafe { libc::dlsym(libc::RTLD_NEXT, name.as_ptr()) };
            NEXT.store(next, Ordering::Relaxed);
        }
        if next.is_null() {
            std::process::abort();
        }
        // SAFETY: the symbol is a function of this type (Itanium C++ ABI, "Exception Handling").
        unsafe { std::mem::transmute::<*mut c_void, Raise>(next) }
    }
}
