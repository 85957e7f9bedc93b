//! What destinations say of a load's schema before its package is sealed: a sealed package goes before all later ones, so
//! one that a destination could never take would stand in the way for ever.

use crate::pipeline::DestinationRef;
use longshore_core::error::Result;
use longshore_core::schema::Schema;

/// Fails when a destination could never hold the schema.
pub(crate) fn accepted_by(destinations: &[DestinationRef], schema: &Schema) -> Result<()> {
    destinations.iter().try_for_each(|d| d.destination.check(schema).map_err(|e| e.with("destination", &d.url)))
}
