//! A tree that was made, read back as any tree is read.

use super::source::TreeSource;
use super::target::FilesDraft;
use crate::cancel::Cancel;
use crate::endpoint::{Findings, Finished, Level, Proof, ReadBack, ReadTable, Source, TableProof};
use crate::error::{Error, Kind, Result};
use crate::event::{Event, Listener};
use std::sync::Arc;
use std::thread;

impl<P> Finished for FilesDraft<P> {
    fn prove(&mut self, level: Level, cancel: &Cancel, listener: &Listener<'_>) -> Result<Proof> {
        let plan = Arc::clone(self.plan());
        let requests: Vec<_> = plan.tables.iter().map(ReadTable::of).collect();
        let (draft, mut source) = (self.made()?, self.as_source(cancel)?);
        // What is read back is in memory still: the disk takes it meanwhile.
        let (digests, synced) = thread::scope(|scope| {
            let syncing = scope.spawn(|| draft.sync());
            let digests = source.digests(&requests);
            let panicked = || Error::could_not("sync", "the tree", "who waits for the disk panicked");
            (digests, syncing.join().unwrap_or_else(|_| Err(panicked())))
        });
        synced?;
        let tables = match digests {
            Ok(digests) => digests
                .into_iter()
                .map(|digest| {
                    listener(Event::RowsVerified { rows: digest.rows });
                    let read = (level > Level::Counts).then(|| ReadBack { digest, ..ReadBack::default() });
                    TableProof { rows: Some(digest.rows), read, failure: None }
                })
                .collect(),
            Err(error) if error.kind() == Kind::Interrupted => return Err(error),
            // What was just written is not what the layout says: a finding like any other.
            Err(error) => plan.tables.iter().map(|_| TableProof::failed(error.to_string())).collect(),
        };
        Ok(Proof { tables, findings: Findings::default() })
    }

    fn reread(&mut self, cancel: &Cancel) -> Result<Box<dyn Source + '_>> {
        Ok(Box::new(self.as_source(cancel)?))
    }
}

impl<P> FilesDraft<P> {
    fn as_source(&self, cancel: &Cancel) -> Result<TreeSource> {
        TreeSource::open(self.made()?.made().path(), self.layout(), &[], cancel)
    }
}
