"""``python -m mediafm``, which ``torchrun -m mediafm pretrain`` starts on every GPU."""

from mediafm.cli.entry import run

if __name__ == "__main__":
    run()
