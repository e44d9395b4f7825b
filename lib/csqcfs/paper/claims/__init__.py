"""What the paper says, checked on its own numbers (audit) and on our records (ledger)."""
