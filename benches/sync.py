#!/usr/bin/env python3
"""Folder synchronisation beside rsync, unison, lsyncd and syncthing, where they are installed.

Two folders of this machine, over loopback. Each load runs with one tool after the other, REPS times in
turn, so that a busy machine disturbs all of them. The table has medians: seconds until the other side
has everything (`telefile to server`: until the server has it), the bytes on the wire in both directions
with all headers, the memory of the largest process, and the seconds as a ratio to `rsync --fsync`.

Loads: small   the first push of 50,000 files of 4 KiB      noop    the same again, nothing to do
       big     the first push of one file of 2 GiB          rename  1,000 files of 100 KiB get other names
       byte    one byte changed in the middle of 1 GiB      insert  one byte inserted before 1 GiB
       edit    edits of one file of 200, until they arrive  idle    processor seconds of a quiet while

--scale N divides the numbers and sizes by N. Needs Linux and `unshare` of util-linux: everything runs in
a network namespace of its own, whose counter is the wire. Nothing is installed, missing tools are skipped.
"""
import argparse, fcntl, filecmp, glob, json, os, random, re, shutil, signal, socket, statistics, struct
import subprocess, sys, tempfile, threading, time, urllib.request

LOADS = ["small", "noop", "rename", "byte", "insert", "big", "edit", "idle"]
MARKERS = {".telefile-sync", ".stfolder", ".stignore", ".stversions"}
BASE = "rsync --fsync"
MIB = 1 << 20


def enter_namespace():
    """Starts this program again in a network namespace, or brings the loopback of that one up."""
    if "SYNC_BENCH" not in os.environ:
        root = [] if os.geteuid() == 0 else ["--map-root-user"]
        os.environ["SYNC_BENCH"] = "1"
        os.execvp("unshare", ["unshare", "--net", *root, sys.executable, *sys.argv])
    with socket.socket() as s:
        up_and_running = 0x41
        fcntl.ioctl(s, 0x8914, struct.pack("16sh14x", b"lo", up_and_running))  # SIOCSIFFLAGS


def text_of(path):
    try:
        with open(path, errors="replace") as f:
            return f.read()
    except OSError:
        return ""


def wire_bytes():
    return int(re.search(r"lo:\s*(\d+)", text_of("/proc/self/net/dev"))[1])


def processes(pid):
    for path in glob.glob(f"/proc/{pid}/task/*/children"):
        for child in text_of(path).split():
            yield child
            yield from processes(child)


def cpu_seconds():
    """The processor time of all children, also of those that have ended."""
    own = os.times()
    stats = (text_of(f"/proc/{p}/stat").rpartition(")")[2].split() for p in processes(os.getpid()))
    ticks = sum(sum(map(int, fields[11:15])) for fields in stats if fields)
    return own.children_user + own.children_system + ticks / os.sysconf("SC_CLK_TCK")


class Memory:
    """Follows the peak memory of every child. Each one has its own counter, read now and then."""
    peak = 0

    def follow(self):
        while True:
            for p in processes(os.getpid()):
                if m := re.search(r"VmHWM:\s*(\d+)", text_of(f"/proc/{p}/status")):
                    self.peak = max(self.peak, int(m[1]) << 10)
            time.sleep(0.05)


def wait_for(what, condition, seconds=600, pause=0.01):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise RuntimeError(f"{what}: not within {seconds} s")
        time.sleep(pause)


def files_of(folder):
    found = {}
    for at, dirs, names in os.walk(folder):
        dirs[:] = [d for d in dirs if d not in MARKERS]
        found |= {os.path.relpath(os.path.join(at, n), folder): os.path.join(at, n) for n in names}
    return found


def outline(folder):
    """Names and sizes, and of large files a byte in the middle."""
    def look(path):
        try:
            size = os.path.getsize(path)
            with open(path, "rb") as f:
                return size, os.pread(f.fileno(), 1, size // 2) if size > MIB else b""
        except OSError:
            return None
    return {name: look(path) for name, path in files_of(folder).items()}


class Tool:
    """A tool, with folders `a` and `b`. `push` returns when `b` has what `a` has."""
    program = None
    label = None

    def __init__(self, options, work, port):
        self.options, self.port, self.children = options, port, []
        self.home = tempfile.mkdtemp(dir=work)
        self.a, self.b, self.state = (os.path.join(self.home, n) for n in ("a", "b", "state"))
        for folder in (self.a, self.b, self.state):
            os.mkdir(folder)

    def argv(self, *args):
        return [str(a) for a in args]

    def run(self, *args, env=(), want=(0,)):
        with open(f"{self.state}/log", "a") as log:
            done = subprocess.run(self.argv(*args), stdout=subprocess.PIPE, stderr=log, text=True,
                                  env=os.environ | dict(env), stdin=subprocess.DEVNULL)
        if done.returncode not in want:
            raise RuntimeError(f"{args[0]}: status {done.returncode}\n{text_of(f'{self.state}/log')[-500:]}")
        return done.stdout

    def spawn(self, *args, env=(), port=None):
        log = open(f"{self.state}/log", "a")
        child = subprocess.Popen(self.argv(*args), stdout=log, stderr=log, env=os.environ | dict(env),
                                 stdin=subprocess.DEVNULL)
        log.close()
        self.children.append(child)

        def listens():
            if child.poll() is not None:
                raise RuntimeError(f"{args[0]} ended\n{text_of(f'{self.state}/log')[-500:]}")
            with socket.socket() as s:
                return s.connect_ex(("127.0.0.1", port)) == 0
        if port:
            wait_for(f"{args[0]} listens", listens, 60)

    def stop(self):
        for child in reversed(self.children):
            child.terminate()
        for child in self.children:
            try:
                child.wait(20)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        self.children = []

    def serve(self):
        """Starts what has to run before the clock does."""

    def settle(self):
        """Waits until what the tool does behind the push is done."""


class Rsync(Tool):
    program, label, flags = "rsync", "rsync", []

    def serve(self):
        with open(f"{self.state}/conf", "w") as f:
            f.write(f"uid = 0\ngid = 0\nuse chroot = no\n[b]\npath = {self.b}\nread only = no\n")
        self.spawn("rsync", "--daemon", "--no-detach", "--address=127.0.0.1", f"--port={self.port}",
                   f"--config={self.state}/conf", port=self.port)

    def push(self, mark):
        self.run("rsync", "-a", "--delete", *self.flags, f"{self.a}/", f"rsync://127.0.0.1:{self.port}/b/")

    watch = None


class RsyncFsync(Rsync):
    label, flags = BASE, ["--fsync"]


class Lsyncd(Rsync):
    program, label, push = "lsyncd", "lsyncd, delay 0", None

    def watch(self):
        with open(f"{self.state}/lua", "w") as f:
            f.write(f'settings {{ nodaemon = true, logfile = "{self.state}/lsyncd.log" }}\nsync {{ '
                    f'default.rsync, source = "{self.a}", target = "rsync://127.0.0.1:{self.port}/b/", '
                    'delay = 0, delete = true, rsync = { archive = true } }\n')
        self.spawn("lsyncd", f"{self.state}/lua")


class Unison(Tool):
    program = label = "unison"

    def serve(self):
        self.spawn("unison", "-socket", self.port, "-listen", "127.0.0.1", port=self.port,
                   env={"UNISON": f"{self.state}/ub", "UNISONLOCALHOSTNAME": "b"})

    def go(self, start, *more):
        return start("unison", self.a, f"socket://127.0.0.1:{self.port}/{self.b}", "-batch", "-silent",
                     "-dumbtty", "-times", "-log=false", "-confirmbigdel=false", *more,
                     env={"UNISON": f"{self.state}/ua", "UNISONLOCALHOSTNAME": "a"})

    def push(self, mark):
        self.go(self.run)

    def watch(self):
        self.go(self.spawn, "-repeat", "watch" if shutil.which("unison-fsmonitor") else "1")


class Syncthing(Tool):
    program = label = "syncthing"

    def api(self, side, path, method="GET", body=None):
        url = f"http://127.0.0.1:{self.port + 2 + side}/rest/{path}"
        request = urllib.request.Request(url, body, {"X-API-Key": "bench"}, method=method)
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with direct.open(request, timeout=600) as answer:
            return json.loads(answer.read() or "null")

    def configure(self):
        ids = []
        for side in (0, 1):
            self.run("syncthing", "generate", f"--home={self.state}/{side}", "--no-default-folder",
                     "--skip-port-probing")
            ids.append(re.search(r'<device id="([^"]+)"', text_of(f"{self.state}/{side}/config.xml"))[1])
        devices = "".join(f'<device id="{d}"><address>tcp://127.0.0.1:{self.port + n}</address></device>'
                          for n, d in enumerate(ids))
        off = "".join(f"<{o}>false</{o}>" for o in (
            "globalAnnounceEnabled", "localAnnounceEnabled", "relaysEnabled", "natEnabled",
            "crashReportingEnabled", "setLowPriority"))
        for side, folder in enumerate((self.a, self.b)):
            with open(f"{self.state}/{side}/config.xml", "w") as f:
                f.write(f'<configuration version="36"><folder id="f" path="{folder}" type="sendreceive" '
                        'rescanIntervalS="3600" fsWatcherEnabled="true" fsWatcherDelayS="1">'
                        f'<paused>true</paused><device id="{ids[0]}"/><device id="{ids[1]}"/></folder>{devices}'
                        f'<gui><address>127.0.0.1:{self.port + 2 + side}</address><apikey>bench</apikey></gui>'
                        f'<options><listenAddress>tcp://127.0.0.1:{self.port + side}</listenAddress>{off}'
                        '<urAccepted>-1</urAccepted><autoUpgradeIntervalH>0</autoUpgradeIntervalH>'
                        '<reconnectionIntervalS>2</reconnectionIntervalS></options></configuration>')
        self.ids = ids

    def serve(self):
        is_first = not hasattr(self, "ids")
        if is_first:
            self.configure()
        for side in (0, 1):
            self.spawn("syncthing", "serve", f"--home={self.state}/{side}", "--no-browser", "--no-restart",
                       port=self.port + 2 + side)
        connected = lambda side: self.api(side, "system/connections")["connections"][self.ids[1 - side]]
        wait_for("syncthing connects", lambda: all(connected(s)["connected"] for s in (0, 1)), 60, 0.1)
        self.is_paused = is_first
        if not is_first:
            self.settle()

    def push(self, mark):
        for side in (1, 0):
            if self.is_paused:
                self.api(side, "config/folders/f", "PATCH", b'{"paused": false}')
            else:
                self.api(side, "db/scan?folder=f", "POST")
        self.settle()
        # It says idle before it has seen what changed.
        wanted = outline(self.a)
        wait_for("syncthing brings everything", lambda: outline(self.b) == wanted, 1800, 0.1)

    def settle(self):
        def is_quiet():
            states = [self.api(side, "db/status?folder=f") for side in (0, 1)]
            return all(s["state"] == "idle" and s["needTotalItems"] == 0 for s in states) and \
                states[0]["globalFiles"] == states[1]["globalFiles"] > 0
        wait_for("syncthing is in sync", is_quiet, 1800, 0.1)

    def watch(self):
        pass


class Telefile(Tool):
    label = "telefile"

    def serve(self):
        program = self.options.telefile
        self.spawn(program, "serve", "--listen", f"127.0.0.1:{self.port}", "--data", f"{self.state}/data",
                   port=self.port)

    def client(self, start, side, seconds, *more):
        ids = [self.id] if hasattr(self, "id") else []
        return start(self.options.telefile, "sync", "127.0.0.1", self.port, (self.a, self.b)[side], seconds,
                     *ids, *more, env={"XDG_STATE_HOME": f"{self.state}/{side}"})

    def push(self, mark):
        said = self.client(self.run, 0, 3600, "--once")
        self.id = re.search(r"^id: (\S+)", said, re.M)[1]
        mark("telefile to server")
        self.client(self.run, 1, 3600, "--once")

    def watch(self):
        for side in (0, 1):
            self.client(self.spawn, side, 10)


TOOLS = [Rsync, RsyncFsync, Lsyncd, Unison, Syncthing, Telefile]


class Bench:
    def __init__(self, options, work, memory):
        self.options, self.work, self.memory, self.rows, self.port = options, work, memory, [], 20000
        n = options.scale
        self.files, self.renames = max(20, 50_000 // n), max(20, 1000 // n)
        self.big, self.delta = (2 << 30) // n, (1 << 30) // n
        self.kinds = []
        for kind in TOOLS:
            program = options.telefile if kind is Telefile else kind.program
            if not shutil.which(program):
                print(f"******** SKIPPED: no {program}", file=sys.stderr)
            elif not options.tools or kind.label.split(",")[0] in options.tools.split(","):
                self.kinds.append(kind)

    def write(self, folder, count, size, folders):
        r = random.Random(count)
        for n in range(count):
            at = f"{folder}/d{n % folders:03}"
            os.makedirs(at, exist_ok=True)
            with open(f"{at}/f{n:05}", "wb") as f:
                for part in range(0, size, MIB):
                    f.write(r.randbytes(min(MIB, size - part)))

    def tools(self, kinds, count, size, folders):
        made = []
        for kind in kinds:
            self.port += 10
            tool = kind(self.options, self.work, self.port)
            self.write(tool.a, count, size, folders)
            made.append(tool)
        return made

    def measure(self, load, tool, act):
        """Runs `act` with a started tool, and adds a row, or several for its marks."""
        tool.serve()
        os.sync()
        time.sleep(0.5)
        self.memory.peak = 0
        start, wire, cpu = time.monotonic(), wire_bytes(), cpu_seconds()

        def mark(label, seconds=None):
            row = dict(load=load, tool=label, seconds=time.monotonic() - start if seconds is None else seconds,
                       wire=wire_bytes() - wire, memory=self.memory.peak, cpu=cpu_seconds() - cpu)
            if load:
                self.rows.append(row)
                print(" ".join(f"{k}={v:.3f}" if isinstance(v, float) else f"{k}={v}" for k, v in row.items()),
                      file=sys.stderr)
        try:
            act(tool, mark)
        finally:
            tool.stop()

    def push(self, load, tool, change=None):
        def act(tool, mark):
            if change:
                change(tool)
            tool.push(mark)
            mark(tool.label)
        if load == "insert":
            with open(f"{tool.a}/d000/f00000", "rb") as old, open(f"{tool.state}/longer", "wb") as new:
                new.write(b"x")
                shutil.copyfileobj(old, new, MIB)
        self.measure(load, tool, act)
        a, b = files_of(tool.a), files_of(tool.b)
        same = a.keys() == b.keys() and all(filecmp.cmp(a[n], b[n], shallow=False) for n in a)
        if not same:
            raise RuntimeError(f"{tool.label}: the folders differ after {load}")

    def each(self, load, tools, one):
        for tool in list(tools):
            try:
                one(tool)
            except (RuntimeError, OSError, KeyError, TypeError) as e:
                print(f"******** FAILED: {load}, {tool.label}: {e}", file=sys.stderr)
                tools.remove(tool)

    def drop(self, tools):
        for tool in tools:
            shutil.rmtree(tool.home, ignore_errors=True)

    def one_shot(self, loads, first, count, size, folders, changes):
        """A first push, and then changes of the same folders."""
        if not loads & {first, *changes}:
            return
        tools = self.tools([k for k in self.kinds if k.push], count, size, folders)
        self.each(first, tools, lambda t: self.push(first if first in loads else None, t))
        for load, change in changes.items():
            if load in loads:
                self.each(load, tools, lambda t: self.push(load, t, change))
        self.drop(tools)

    def watch(self, load, tool):
        def edit(n):
            text = f"edit {n}\n" * (n + 1)
            start = time.monotonic()
            with open(f"{tool.a}/edit.txt", "w") as f:
                f.write(text)
            wait_for(f"edit {n}", lambda: text_of(f"{tool.b}/edit.txt") == text, 300, 0.003)
            return time.monotonic() - start

        def act(tool, mark):
            tool.watch()
            edit(0)
            if load == "idle":
                time.sleep(5)
                before = cpu_seconds()
                time.sleep(self.options.idle)
                mark(tool.label, cpu_seconds() - before)
                return
            for n in range(1, self.options.edits + 1):
                time.sleep(random.uniform(0.5, 1.5))
                mark(tool.label, edit(n))
        self.measure(load, tool, act)

    def watches(self, load, count):
        tools = self.tools([k for k in self.kinds if k.watch], count, 4096, max(1, count // 100))
        pushing = [t for t in tools if t.push]
        self.each(load, pushing, lambda t: self.push(None, t))
        tools = [t for t in tools if not t.push or t in pushing]
        self.each(load, tools, lambda t: self.watch(load, t))
        self.drop(tools)

    def run(self, loads):
        def rename(tool):
            for path in files_of(tool.a).values():
                os.rename(path, os.path.join(os.path.dirname(path), "r" + os.path.basename(path)))

        def byte(tool):
            with open(f"{tool.a}/d000/f00000", "r+b") as f:
                old = os.pread(f.fileno(), 1, self.delta // 2)[0]
                os.pwrite(f.fileno(), bytes([old ^ 0x55]), self.delta // 2)

        def insert(tool):
            os.rename(f"{tool.state}/longer", f"{tool.a}/d000/f00000")

        for _ in range(self.options.reps):
            self.one_shot(loads, "small", self.files, 4096, 500, {"noop": None})
            self.one_shot(loads, "rename, first", self.renames, 100 << 10, 10, {"rename": rename})
            self.one_shot(loads, "large, first", 1, self.delta, 1, {"byte": byte, "insert": insert})
            self.one_shot(loads, "big", 1, self.big, 1, {})
        if "edit" in loads:
            self.watches("edit", 200)
        if "idle" in loads:
            self.watches("idle", self.files)

    def table(self):
        groups = {}
        for row in self.rows:
            groups.setdefault((row["load"], row["tool"]), []).append(row)
        middle = {key: {k: statistics.median(r[k] for r in rows) for k in ("seconds", "wire", "memory", "cpu")}
                  for key, rows in groups.items()}
        print(f"{'load':8}{'tool':20}{'seconds':>10}{'ratio':>7}{'wire MB':>10}{'memory MB':>11}{'cpu s':>8}{'n':>4}")
        for (load, tool), row in middle.items():
            base = middle.get((load, BASE))
            ratio = f"{row['seconds'] / base['seconds']:.2f}" if base and base["seconds"] else "-"
            print(f"{load:8}{tool:20}{row['seconds']:10.3f}{ratio:>7}{row['wire'] / 1e6:10.3f}"
                  f"{row['memory'] / 1e6:11.1f}{row['cpu']:8.2f}{len(groups[load, tool]):4}")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--scale", type=int, default=1, help="divide numbers and sizes by this; 50 is a small run")
    p.add_argument("--reps", type=int, default=3, help="runs of each load (3)")
    p.add_argument("--edits", type=int, default=20, help="edits to wait for (20)")
    p.add_argument("--idle", type=float, default=60, help="seconds of the quiet while (60)")
    p.add_argument("--loads", default=",".join(LOADS), help="loads to run, with commas")
    p.add_argument("--tools", default="", help="tools to run, with commas; all by default")
    p.add_argument("--work", help="a folder on the disk to measure; 40 GB are needed at scale 1")
    p.add_argument("--telefile", default="target/release/telefile", help="the program")
    options = p.parse_args()
    options.telefile = os.path.abspath(options.telefile)
    loads = set(options.loads.split(","))
    if loads - set(LOADS):
        p.error(f"loads are {', '.join(LOADS)}")
    enter_namespace()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    memory = Memory()
    threading.Thread(target=memory.follow, daemon=True).start()
    print(f"{os.cpu_count()} processors, Linux {os.uname().release}, load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory(prefix="sync-bench-", dir=options.work) as work:
        bench = Bench(options, work, memory)
        try:
            bench.run(loads)
        finally:
            bench.table()


if __name__ == "__main__":
    main()
