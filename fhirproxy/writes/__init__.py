"""Write-back: a proposed change travels as a command, and its history is only ever added to."""
