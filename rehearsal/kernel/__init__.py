"""What every part and command of the rehearsal rests on: folder, ports, programs, supervisor."""
