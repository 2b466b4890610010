"""What the processes of the sandbox do with a file: pictures, frames, sound, words."""
