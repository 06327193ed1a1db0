"""The loop of making: how a decoder's steps become an output. One method a file."""
