//! Buffers for blocks. Each thread keeps a few, so that a connection has one only while a block is on its way.

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};

use smp_transport::block::Block;
use zeroize::Zeroize;

/// Free buffers that a thread keeps.
const KEPT: usize = 16;

thread_local! {
    static FREE: RefCell<Vec<Box<Block>>> = const { RefCell::new(Vec::new()) };
}

/// A buffer of 16384 bytes that returns to its thread when dropped. Its content is that of its last use, without secrets.
pub(crate) struct PooledBlock {
    block: Option<Box<Block>>,
    /// So many bytes, from the first on, are wiped before anybody else gets it.
    secret: usize,
}

impl PooledBlock {
    /// What can be in front of the content of a block: its authentication and its length.
    const FRAME: usize = 32;

    /// A free buffer, or a new one, for what is no secret.
    pub fn take() -> Self {
        let free = FREE.with_borrow_mut(Vec::pop);
        Self { block: Some(free.unwrap_or_else(|| Box::new([0; size_of::<Block>()]))), secret: 0 }
    }

    /// The same for what comes from a client: secret, until [`Self::holds_secrets_in`] says how much of it is.
    pub fn take_for_secrets() -> Self {
        let mut this = Self::take();
        this.secret = size_of::<Block>();
        this
    }

    /// Only the first bytes of the content are secret, or none. To wipe a whole block costs as much as some commands.
    pub fn holds_secrets_in(&mut self, content: usize) {
        self.secret = if content == 0 { 0 } else { content.saturating_add(Self::FRAME).min(size_of::<Block>()) };
    }
}

impl Drop for PooledBlock {
    fn drop(&mut self) {
        let mut block = self.block.take();
        if self.secret > 0
            && let Some(block) = &mut block
        {
            block[..self.secret].zeroize();
        }
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
        self.block.as_deref().expect("the buffer is taken only on drop")
    }
}

impl DerefMut for PooledBlock {
    fn deref_mut(&mut self) -> &mut Block {
        self.block.as_deref_mut().expect("the buffer is taken only on drop")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_do_not_come_back() {
        let filled = |block: &PooledBlock| block.iter().filter(|byte| **byte != 0).count();
        let mut block = PooledBlock::take_for_secrets();
        block.fill(7);
        drop(block);
        let mut block = PooledBlock::take_for_secrets();
        assert_eq!(filled(&block), 0, "given up before anybody knew what is in it");
        block.fill(7);
        block.holds_secrets_in(100);
        drop(block);
        let mut block = PooledBlock::take();
        assert_eq!(filled(&block), size_of::<Block>() - 100 - PooledBlock::FRAME);
        assert!(block[..100 + PooledBlock::FRAME].iter().all(|byte| *byte == 0));
        block.fill(7);
        drop(block);
        let mut block = PooledBlock::take_for_secrets();
        assert_eq!(filled(&block), size_of::<Block>(), "no work for what is no secret");
        block.holds_secrets_in(0);
        drop(block);
        assert_eq!(filled(&PooledBlock::take()), size_of::<Block>());
    }
}
