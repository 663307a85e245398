"""Pure rules: values in, verdicts out. No input or output, no clock, no log, no SDK."""
