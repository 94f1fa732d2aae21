//! Types that the catalog knows by name only.

use super::Limits;
use super::kind::{self, Values};
use crate::catalog::DataType;
use crate::error::{Error, Result};
use std::sync::Arc;

/// `hstore`.
pub(super) fn hstore(data_type: &DataType, limits: &Limits) -> Result<Arc<dyn Values>> {
    kind::only(data_type, limits, &[])?;
    build(data_type, limits)
}

/// A type by its name.
pub(super) fn build(data_type: &DataType, _limits: &Limits) -> Result<Arc<dyn Values>> {
    Err(Error::could_not("generate values of", format!("`{data_type}`"), "nothing is known about this type's values")
        .hint("give the column's values by hints: `values = [\"…\"]`"))
}
