//! Buffers for blocks. Each thread keeps a few, so that a connection has one only while a block is on its way.

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};

use smp_transport::block::Block;

/// Free buffers that a thread keeps.
const KEPT: usize = 16;

thread_local! {
    static FREE: RefCell<Vec<Box<Block>>> = const { RefCell::new(Vec::new()) };
}

/// A buffer of 16384 bytes that returns to its thread when dropped. Its content is that of its last use.
pub(crate) struct PooledBlock(Option<Box<Block>>);

impl PooledBlock {
    /// A free buffer, or a new one.
    pub fn take() -> Self {
        let free = FREE.with_borrow_mut(Vec::pop);
        Self(Some(free.unwrap_or_else(|| Box::new([0; size_of::<Block>()]))))
    }
}

impl Drop for PooledBlock {
    fn drop(&mut self) {
        let block = self.0.take();
        FREE.with_borrow_mut(|free| {
            if free.len() < KEPT {
                free.extend(block);
            }
        });
    }
}

impl Deref for PooledBlock {
    type Target = Block;

    fn deref(&self) -> &Block {
        self.0.as_deref().expect("the buffer is taken only on drop")
    }
}

impl DerefMut for PooledBlock {
    fn deref_mut(&mut self) -> &mut Block {
        self.0.as_deref_mut().expect("the buffer is taken only on drop")
    }
}
