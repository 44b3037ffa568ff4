"""Reading the files of `include/`: texts in, core objects and every problem out. Only `include_files` opens them."""
