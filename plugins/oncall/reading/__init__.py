"""Reading the files of `include/`: texts in, core objects and every problem out. Opens no file itself."""
