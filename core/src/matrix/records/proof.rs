//! Zero-knowledge proofs.

use serde::{Deserialize, Serialize};

use crate::matrix::{CircuitId, EventId, ProofId};
use crate::text::opaque_debug;
use crate::{Json, Record, Timestamp};

/// The proof that belongs to a message; a message has one at most.
#[derive(Clone, PartialEq, Serialize, Deserialize, Record)]
#[record(id = 13, name = "proofs", key(proof_id))]
#[index(id = 1, name = "message_proof", on(message_id), unique)]
#[index(id = 2, name = "circuit", on(circuit_id))]
#[index(id = 3, name = "timestamp", on(generated_at: ordered))]
pub struct Proof {
    /// The proof's id.
    pub proof_id: ProofId,
    /// The message it is about.
    pub message_id: EventId,
    /// The circuit it was made with.
    pub circuit_id: CircuitId,
    /// The proof, in the encoding of its circuit.
    pub proof: String,
    /// The public inputs and outputs.
    pub public_signals: Vec<String>,
    /// When it was made.
    pub generated_at: Timestamp,
    /// Who made it.
    pub prover_id: String,
    /// What is kept with it.
    pub metadata: Json,
    /// When it was stored here.
    pub stored_at: Timestamp,
}

opaque_debug!(Proof);
