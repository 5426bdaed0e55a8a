//! From submissions to blocks: as few as possible, in the order of submission.

use std::slice;

use smp_protocol::batch::{BatchWriter, MAX_TRANSMISSIONS, Pushed};
use smp_protocol::block::BLOCK_SIZE;
use smp_transport::block::{Block, BlockWriter, WriteError};
use tokio::io::AsyncWrite;
use tokio::sync::{mpsc, watch};

/// What a caller hands over to be sent. All transmissions fit a block.
pub(crate) enum Submission {
    One(Vec<u8>),
    /// In one block, if that is possible.
    Many(Vec<Vec<u8>>),
    /// The content of a block of its own.
    Block(Vec<u8>),
}

/// Writes what is submitted, until all senders are gone or closing is asked for and everything submitted is written.
pub(crate) async fn transmit<W: AsyncWrite + Unpin>(
    writer: &mut BlockWriter<W>,
    submissions: &mut mpsc::Receiver<Submission>,
    mut closing: watch::Receiver<bool>,
) -> Result<(), WriteError> {
    let mut open = true;
    loop {
        tokio::select! {
            biased;
            submission = submissions.recv() => match submission {
                Some(submission) => Packer::new(writer).write_all(submission, submissions).await?,
                None => return Ok(()),
            },
            () = requested(&mut closing), if open => {
                open = false;
                submissions.close();
            }
        }
    }
}

/// Waits until closing is asked for, or the client is gone.
pub(crate) async fn requested(closing: &mut watch::Receiver<bool>) {
    let _ = closing.wait_for(|&requested| requested).await;
}

/// Buffers for one burst of blocks: an idle connection holds none.
struct Packer<'w, W> {
    writer: &'w mut BlockWriter<W>,
    batch: BatchWriter,
    block: Box<Block>,
}

impl<'w, W: AsyncWrite + Unpin> Packer<'w, W> {
    fn new(writer: &'w mut BlockWriter<W>) -> Self {
        Self { writer, batch: BatchWriter::new(), block: Box::new([0; BLOCK_SIZE]) }
    }

    /// Writes `first` and everything that waits behind it.
    async fn write_all(
        mut self,
        first: Submission,
        submissions: &mut mpsc::Receiver<Submission>,
    ) -> Result<(), WriteError> {
        let mut next = Some(first);
        while let Some(submission) = next {
            match &submission {
                Submission::One(transmission) => self.pack(slice::from_ref(transmission)).await?,
                Submission::Many(transmissions) => self.pack(transmissions).await?,
                Submission::Block(content) => {
                    self.finish_block().await?;
                    self.writer.write_content(content, &mut self.block).await?;
                }
            }
            next = submissions.try_recv().ok();
        }
        self.finish_block().await?;
        self.writer.flush().await
    }

    async fn pack(&mut self, transmissions: &[Vec<u8>]) -> Result<(), WriteError> {
        if !self.has_room_for(transmissions) {
            self.finish_block().await?;
        }
        for transmission in transmissions {
            match self.push(transmission) {
                Pushed::Added => {}
                Pushed::Full => {
                    self.finish_block().await?;
                    self.push(transmission);
                }
                Pushed::TooLong => self.write_alone(transmission).await?,
            }
        }
        Ok(())
    }

    fn push(&mut self, transmission: &[u8]) -> Pushed {
        self.batch.push(|out| out.extend_from_slice(transmission))
    }

    fn has_room_for(&self, transmissions: &[Vec<u8>]) -> bool {
        let count = usize::from(self.batch.content()[0]) + transmissions.len();
        let bytes: usize = transmissions.iter().map(|transmission| 2 + transmission.len()).sum();
        count <= MAX_TRANSMISSIONS && bytes <= self.batch.room() + 2
    }

    /// Writes a transmission that fits only blocks that are not sealed: a forward of an old client.
    async fn write_alone(&mut self, transmission: &[u8]) -> Result<(), WriteError> {
        self.finish_block().await?;
        let mut alone = BatchWriter::unencrypted();
        alone.push(|out| out.extend_from_slice(transmission));
        self.writer.write_content(alone.content(), &mut self.block).await
    }

    async fn finish_block(&mut self) -> Result<(), WriteError> {
        if !self.batch.is_empty() {
            self.writer.write_content(self.batch.content(), &mut self.block).await?;
            self.batch.clear();
        }
        Ok(())
    }
}
