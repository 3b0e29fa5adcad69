"""What was translated before: both levels of the TLB."""
