//! Copies out of memory that another process may write while we read it.
//!
//! An ordinary copy would be undefined behaviour as soon as the peer writes at the same time: the compiler may
//! assume that memory read through references or by `ptr::copy` stands still. These copies promise only this: every
//! byte of the result was at its place at some moment during the copy. Nothing says that two bytes (or one byte,
//! looked at twice) belong together; so copy first, then check the copy.
//!
//! On x86-64 the accesses are assembly, which the compiler cannot see into: SSE2 up to 1 KiB, `rep movsb` beyond
//! (it takes the whole cache's width once it runs, but some nanoseconds to begin). Elsewhere, and under Miri, they are
//! volatile reads.

use std::mem::MaybeUninit;

#[cfg(not(all(target_arch = "x86_64", not(miri))))]
use portable as fitting;
#[cfg(all(target_arch = "x86_64", not(miri)))]
use x86_64 as fitting;

/// Copies `len` bytes.
///
/// # Safety
///
/// `src` is good for reading `len` bytes, whoever else may write them; `dst` is good for writing `len` bytes and
/// belongs to the caller alone. The two do not overlap.
#[inline]
pub(crate) unsafe fn copy_out(src: *const u8, dst: *mut u8, len: usize) {
    // SAFETY: the caller's promise.
    unsafe { fitting::copy(src, dst, len) }
}

/// Copies 64 bytes, quicker than any number that is not known beforehand.
///
/// # Safety
///
/// `src` is good for reading 64 bytes, whoever else may write them.
#[inline]
pub(crate) unsafe fn copy_out_64(src: *const u8) -> [u8; 64] {
    let mut copy = MaybeUninit::<[u8; 64]>::uninit();
    // SAFETY: the caller's promise for `src`; `copy` is our own and has 64 bytes.
    unsafe { fitting::copy_64(src, copy.as_mut_ptr().cast()) };
    // SAFETY: all of it was written.
    unsafe { copy.assume_init() }
}

/// A copy of `len` bytes with nothing to spare.
///
/// # Safety
///
/// `src` is good for reading `len` bytes, whoever else may write them.
#[inline]
pub(crate) unsafe fn copy_to_vec(src: *const u8, len: usize) -> Vec<u8> {
    let mut copy = Vec::with_capacity(len);
    // SAFETY: the caller's promise.
    unsafe { append(src, len, &mut copy) };
    copy
}

/// Appends a copy of `len` bytes.
///
/// # Safety
///
/// `src` is good for reading `len` bytes, whoever else may write them.
#[inline]
pub(crate) unsafe fn append(src: *const u8, len: usize, into: &mut Vec<u8>) {
    into.reserve(len);
    let behind = into.spare_capacity_mut().as_mut_ptr().cast();
    // SAFETY: the caller's promise for `src`; `len` spare bytes were just reserved.
    unsafe { copy_out(src, behind, len) };
    // SAFETY: so many bytes behind the old end were written.
    unsafe { into.set_len(into.len() + len) };
}

#[cfg(all(target_arch = "x86_64", not(miri)))]
mod x86_64 {
    use std::arch::asm;

    /// Beyond this, `rep movsb` wins.
    const SHORT: usize = 1024;

    /// See [`copy_out`](super::copy_out) for what the caller promises, here and in the rest of this module.
    #[inline]
    pub(super) unsafe fn copy(src: *const u8, dst: *mut u8, len: usize) {
        match len {
            // SAFETY: the caller's promise, in all four.
            0..8 => unsafe { copy_few(src, dst, len) },
            // SAFETY: as above; at least 8 bytes.
            8..16 => unsafe { copy_ends_8(src, dst, len) },
            // SAFETY: as above; at least 16 bytes.
            16..=SHORT => unsafe { copy_short(src, dst, len) },
            // SAFETY: as above.
            _ => unsafe { copy_long(src, dst, len) },
        }
    }

    #[inline]
    unsafe fn copy_few(src: *const u8, dst: *mut u8, len: usize) {
        for at in 0..len {
            // SAFETY: `at` is below `len`.
            let byte = unsafe { src.wrapping_add(at).read_volatile() };
            // SAFETY: as above.
            unsafe { dst.wrapping_add(at).write(byte) };
        }
    }

    /// 8 to 16 bytes: the first eight and the last eight.
    #[inline]
    unsafe fn copy_ends_8(src: *const u8, dst: *mut u8, len: usize) {
        let last = len - 8;
        // SAFETY: there are at least 8 bytes.
        unsafe { copy_8(src, dst) };
        // SAFETY: the last eight begin at 0 or later and end at `len`.
        unsafe { copy_8(src.wrapping_add(last), dst.wrapping_add(last)) };
    }

    /// 16 bytes or more, with wide accesses; what is left at the end is copied with some of what is before it.
    #[inline]
    unsafe fn copy_short(src: *const u8, dst: *mut u8, len: usize) {
        let mut at = 0;
        while len - at >= 64 {
            // SAFETY: 64 bytes are left.
            unsafe { copy_64(src.wrapping_add(at), dst.wrapping_add(at)) };
            at += 64;
        }
        while len - at >= 16 {
            // SAFETY: 16 bytes are left.
            unsafe { copy_16(src.wrapping_add(at), dst.wrapping_add(at)) };
            at += 16;
        }
        if at < len {
            at = len - 16;
            // SAFETY: the last 16 bytes begin at 0 or later and end at `len`.
            unsafe { copy_16(src.wrapping_add(at), dst.wrapping_add(at)) };
        }
    }

    #[inline]
    unsafe fn copy_long(src: *const u8, dst: *mut u8, len: usize) {
        // SAFETY: reads and writes `len` bytes upwards, as the direction flag is clear at the beginning of every
        // `asm!`; the three registers it changes are named, flags and stack stay.
        unsafe {
            asm!(
                "rep movsb",
                inout("rcx") len => _,
                inout("rsi") src => _,
                inout("rdi") dst => _,
                options(nostack, preserves_flags)
            );
        }
    }

    /// 64 bytes.
    #[inline]
    pub(super) unsafe fn copy_64(src: *const u8, dst: *mut u8) {
        // SAFETY: reads and writes 64 bytes at the two pointers, of any alignment, and nothing else.
        unsafe {
            asm!(
                "movdqu {a}, [{src}]",
                "movdqu {b}, [{src} + 16]",
                "movdqu {c}, [{src} + 32]",
                "movdqu {d}, [{src} + 48]",
                "movdqu [{dst}], {a}",
                "movdqu [{dst} + 16], {b}",
                "movdqu [{dst} + 32], {c}",
                "movdqu [{dst} + 48], {d}",
                src = in(reg) src,
                dst = in(reg) dst,
                a = out(xmm_reg) _,
                b = out(xmm_reg) _,
                c = out(xmm_reg) _,
                d = out(xmm_reg) _,
                options(nostack, preserves_flags)
            );
        }
    }

    #[inline]
    unsafe fn copy_16(src: *const u8, dst: *mut u8) {
        // SAFETY: reads and writes 16 bytes at the two pointers, of any alignment, and nothing else.
        unsafe {
            asm!(
                "movdqu {all}, [{src}]",
                "movdqu [{dst}], {all}",
                src = in(reg) src,
                dst = in(reg) dst,
                all = out(xmm_reg) _,
                options(nostack, preserves_flags)
            );
        }
    }

    #[inline]
    unsafe fn copy_8(src: *const u8, dst: *mut u8) {
        // SAFETY: reads and writes 8 bytes at the two pointers, of any alignment, and nothing else.
        unsafe {
            asm!(
                "mov {all}, [{src}]",
                "mov [{dst}], {all}",
                src = in(reg) src,
                dst = in(reg) dst,
                all = out(reg) _,
                options(nostack, preserves_flags)
            );
        }
    }
}

/// For all machines; on x86-64 only its tests use it.
#[cfg(any(test, not(target_arch = "x86_64"), miri))]
pub(super) mod portable {
    /// See [`copy_out`](super::copy_out) for what the caller promises.
    pub(in super::super) unsafe fn copy(src: *const u8, dst: *mut u8, len: usize) {
        let mut at = 0;
        // Words only where they are aligned, because volatile reads must be. `align_offset` may be larger than `len`.
        let first_word = src.align_offset(align_of::<u64>()).min(len);
        while at < first_word {
            // SAFETY: `at` is below `len`.
            unsafe { copy_byte(src.wrapping_add(at), dst.wrapping_add(at)) };
            at += 1;
        }
        while len - at >= size_of::<u64>() {
            // SAFETY: a word is left, and aligned, since the loop above stopped at one or left nothing.
            let word = unsafe { src.wrapping_add(at).cast::<u64>().read_volatile() };
            // SAFETY: a word is left.
            unsafe { dst.wrapping_add(at).cast::<u64>().write_unaligned(word) };
            at += size_of::<u64>();
        }
        while at < len {
            // SAFETY: `at` is below `len`.
            unsafe { copy_byte(src.wrapping_add(at), dst.wrapping_add(at)) };
            at += 1;
        }
    }

    /// 64 bytes.
    #[cfg(any(not(target_arch = "x86_64"), miri))]
    pub(super) unsafe fn copy_64(src: *const u8, dst: *mut u8) {
        // SAFETY: the caller's promise.
        unsafe { copy(src, dst, 64) };
    }

    unsafe fn copy_byte(src: *const u8, dst: *mut u8) {
        // SAFETY: the caller's promise.
        let byte = unsafe { src.read_volatile() };
        // SAFETY: as above.
        unsafe { dst.write(byte) };
    }
}
