"""The parts of a report, one module each: a part of lt-verify's result in, a Section out."""
