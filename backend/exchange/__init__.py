"""Data sets in and out: VOC devkits, tagged folders, snapshots, zip archives."""
