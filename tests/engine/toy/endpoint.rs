//! The smallest endpoint.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use whimbrel::endpoint::{Finished, Level, Proof, ReadBack, TableProof};
use whimbrel::plan::{Caveat, Plan};
use whimbrel::value::{Cell, TableDigest};
use whimbrel::{Result, cancel::Cancel, catalog::*, endpoint::*, event::Listener};

pub type Row = Vec<Cell<'static>>;
/// Rows by the target's name of their table.
pub type Store = Arc<Mutex<HashMap<String, Vec<Row>>>>;

/// Rows as they come, each with the place of its table in the catalog.
pub struct ToySource {
    pub catalog: Arc<Catalog>,
    pub rows: Vec<(usize, Row)>,
}

impl Source for ToySource {
    fn label(&self) -> &str {
        "a toy"
    }

    fn catalog(&mut self) -> Result<Arc<Catalog>> {
        Ok(Arc::clone(&self.catalog))
    }

    fn read(&mut self, tables: &[ReadTable<'_>], sink: &mut dyn RowSink) -> Result<()> {
        (0..tables.len()).try_for_each(|table| sink.begin(table))?;
        for (of, row) in &self.rows {
            let own = &self.catalog.tables[*of];
            let Some(table) = tables.iter().position(|table| *table.table == own.name) else { continue };
            let place = |name: &str| own.columns.iter().position(|column| column.name == name).expect("a column");
            let cells: Row = tables[table].columns.iter().map(|column| row[place(column.name)].clone()).collect();
            sink.row(table, &cells)?;
        }
        (0..tables.len()).try_for_each(|table| sink.end(table))
    }
}

pub struct ToyTarget {
    pub store: Store,
    /// The source's.
    pub catalog: Arc<Catalog>,
}

impl ToyTarget {
    /// What the store holds now, as it was made by that plan.
    pub fn opened(self, plan: &Arc<Plan>) -> ToyDraft {
        let rows = self.store.lock().expect("nobody panicked").clone();
        ToyDraft { plan: Arc::clone(plan), rows, target: self }
    }
}

impl Target for ToyTarget {
    type Draft = ToyDraft;

    fn label(&self) -> String {
        "a toy".to_owned()
    }

    fn dialect(&self) -> Option<Dialect> {
        Some(Dialect::Sqlite)
    }

    fn begin(self, plan: &Arc<Plan>, _: bool, _: &Cancel) -> Result<ToyDraft> {
        Ok(ToyDraft { plan: Arc::clone(plan), rows: HashMap::new(), target: self })
    }
}

#[derive(Default)]
pub struct ToyBatch(Vec<Row>);
impl RowBatch for ToyBatch {
    fn rows(&self) -> u64 {
        self.0.len() as u64
    }

    fn bytes(&self) -> u64 {
        0
    }

    fn is_full(&self) -> bool {
        self.0.len() >= 2
    }
}

pub struct ToyEncoder;

impl Encode<ToyBatch> for ToyEncoder {
    fn row(&mut self, cells: &[Cell<'_>], batch: &mut ToyBatch) -> Result<Held> {
        batch.0.push(cells.iter().cloned().map(Cell::into_owned).collect());
        Ok(Held::Whole)
    }
}

pub struct ToyDraft {
    plan: Arc<Plan>,
    rows: HashMap<String, Vec<Row>>,
    target: ToyTarget,
}

impl Draft for ToyDraft {
    type Batch = ToyBatch;
    type Encoder = ToyEncoder;
    type Published = usize;

    fn encoder(&self, _: usize) -> ToyEncoder {
        ToyEncoder
    }

    fn write(&mut self, table: usize, batch: &mut ToyBatch) -> Result<()> {
        self.rows.entry(self.plan.tables[table].target.clone()).or_default().append(&mut batch.0);
        Ok(())
    }

    fn finish(&mut self, _: &Origin<'_>, _: &Listener<'_>) -> Result<Vec<Caveat>> {
        Ok(Vec::new())
    }

    fn publish(self, _: Option<&str>) -> Result<usize> {
        let rows = self.rows.values().map(Vec::len).sum();
        *self.target.store.lock().expect("nobody panicked") = self.rows;
        Ok(rows)
    }
}

impl Finished for ToyDraft {
    fn prove(&mut self, _: Level, cancel: &Cancel, _: &Listener<'_>) -> Result<Proof> {
        let plan = Arc::clone(&self.plan);
        let requests: Vec<_> = plan.tables.iter().map(ReadTable::of).collect();
        let table = |digest: TableDigest| {
            let read = Some(ReadBack { digest, ..ReadBack::default() });
            TableProof { rows: Some(digest.rows), read, failure: None }
        };
        let tables = self.reread(cancel)?.digests(&requests)?.into_iter().map(table).collect();
        Ok(Proof { tables, ..Proof::default() })
    }

    fn reread(&mut self, _: &Cancel) -> Result<Box<dyn Source + '_>> {
        let catalog = Arc::clone(&self.target.catalog);
        let rows = self.plan.tables.iter().flat_map(|table| {
            let place = catalog.tables.iter().position(|own| own.name == table.source).expect("it was planned");
            self.rows.get(&table.target).into_iter().flatten().map(move |row| (place, row.clone()))
        });
        let rows = rows.collect();
        Ok(Box::new(ToySource { catalog, rows }))
    }
}
