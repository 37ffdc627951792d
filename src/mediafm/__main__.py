"""``python -m mediafm``, which ``torchrun -m mediafm pretrain`` starts on every GPU."""

from mediafm.cli.main import run

if __name__ == "__main__":
    run()
