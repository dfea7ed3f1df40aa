from contextlib import contextmanager
class Console:
    @classmethod
    def for_stream(cls, s, e): return cls()
    def info(self, t): print(t, flush=True)
    warn = error = info
    @contextmanager
    def progress(self, total, workers): yield P(total)
    def closing_table(self, m): print(m.counts)
    def matrix_table(self, m): pass
class Progress: pass
class P:
    def __init__(s,t): s.t=t; s.n=0
    def started(self, w, n): pass
    def finished(self, w, n, o, sec, note):
        self.n+=1; print(f"[{self.n}/{self.t}] {o} {sec:.1f} s {n} {note[:200]}", flush=True)
    def skipped(self, t):
        self.n+=1
        if t: print(t)
