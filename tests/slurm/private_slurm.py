"""A real SLURM for the tests: munge's daemon, the controller and the daemons of two nodes, all on this machine.

It listens on loopback, on ports that were free. Its processes live in a namespace of their own: when the first one
ends, the kernel ends all others with it.
"""

import ctypes
import os
import shutil
import socket
import subprocess
import sys
import time

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scontrol", "scancel", "sinfo")
PACKAGES = "slurm-wlm and munge"
INSIDE = "POISE_PRIVATE_SLURM"
NODES = ("n0", "n1")
PROCESSORS = 4  # number that a node pretends to have
START_SECONDS = 60  # time to become ready, on a busy machine

os.environ["PATH"] += ":/usr/sbin"


def missing_programs():
    return [name for name in PROGRAMS if shutil.which(name) is None]


def skip(reason):
    """Ends with the code that CTest takes for "cannot run here"; tests/run.sh prints the reason."""
    print(f"skipped: {reason}")
    sys.exit(77)


def enter_namespaces():
    """Starts this program again in new namespaces, and ends with its exit code; returns when inside. The daemons of
    SLURM start programs under the name of the user, so they need root, or sudo without a password."""
    if os.environ.get(INSIDE):
        return
    # Without the variables of a job in which this test may run.
    outer = {name: value for name, value in os.environ.items() if not name.startswith(("SLURM_", "SBATCH_", "PMIX_"))}
    environment = {**outer, INSIDE: "1", "PYTHONDONTWRITEBYTECODE": "1"}
    command = ["unshare", "--mount", "--uts", "--ipc", "--pid", "--fork", "--kill-child", "--mount-proc"]
    if os.getuid() != 0:
        command = ["sudo", "-n", "env", *(f"{name}={value}" for name, value in environment.items()), *command]
    try:
        probe = subprocess.run([*command, "true"], capture_output=True, text=True, check=False)
    except OSError as error:
        skip(f"the private SLURM needs root, or sudo: {error}")
    if probe.returncode != 0:  # as in most containers
        skip(f"no namespaces, which the private SLURM needs, by {command[0]}: {probe.stderr.strip()}")
    sys.exit(subprocess.run([*command, sys.executable, *sys.argv], env=environment, check=False).returncode)


def free_ports(count):
    """Of this machine's loopback."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def die_with_parent():
    pdeathsig, sigkill = 1, 9
    ctypes.CDLL(None).prctl(pdeathsig, sigkill)


class PrivateSlurm:
    """Partitions: `main`, whose jobs are preempted by requeueing after a grace, and `high`, which preempts."""

    def __init__(self, folder):
        self.folder = folder
        self.config = self.path("slurm.conf")
        self.daemons = []

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def environment(self):
        """The environment to submit jobs, and to let ranks on pretended processors share real processors."""
        return {"SLURM_CONF": self.config, "OMPI_MCA_oob_tcp_if_include": "lo", "OMPI_MCA_btl_tcp_if_include": "lo",
                "OMPI_MCA_mpi_yield_when_idle": "1", "OMPI_MCA_hwloc_base_binding_policy": "none"}

    def start(self):
        os.chmod(self.folder, 0o755)
        for name in ("state", "log", "run"):
            os.makedirs(self.path(name))
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(self.configuration())
        with open(self.path("hosts"), "w", encoding="utf-8") as file:
            file.write(f"127.0.0.1 localhost {socket.gethostname()} {' '.join(NODES)}\n")
        self.start_munge()
        self.daemon("slurmctld", ["slurmctld", "-D", "-c", "-i", "-f", self.config])
        for node in NODES:
            self.start_node(node)
        self.wait_until_ready()

    def configuration(self):
        controller, *ports = free_ports(1 + len(NODES))
        lines = f"""
            ClusterName=poise
            SlurmctldHost=localhost(127.0.0.1)
            SlurmctldPort={controller}
            SlurmUser=root
            SlurmdUser=root
            AuthType=auth/munge
            CredType=cred/munge
            AuthInfo=socket={self.path("run", "munge")}
            StateSaveLocation={self.path("state")}
            SlurmdSpoolDir={self.path("%n", "spool")}
            TmpFS={self.path("%n", "tmp")}
            SlurmctldPidFile={self.path("run", "slurmctld.pid")}
            SlurmdPidFile={self.path("run", "%n.pid")}
            ProctrackType=proctrack/linuxproc
            TaskPlugin=task/none
            SwitchType=switch/none
            JobAcctGatherType=jobacct_gather/none
            AccountingStorageType=accounting_storage/none
            JobCompType=jobcomp/none
            SelectType=select/cons_tres
            SelectTypeParameters=CR_Core
            SlurmdParameters=config_overrides
            CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
            SlurmctldParameters=preempt_send_user_signal
            SchedulerType=sched/backfill
            SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=1
            PreemptType=preempt/partition_prio
            PreemptMode=REQUEUE
            JobRequeue=1
            MpiDefault=none
            MailProg=/bin/true
            ReturnToService=1
            KillWait=5
            MinJobAge=3600
            PartitionName=main Nodes=ALL Default=YES State=UP PriorityTier=1 PreemptMode=REQUEUE GraceTime=60
            PartitionName=high Nodes=ALL State=UP PriorityTier=9 PreemptMode=OFF
            """.split("\n")
        nodes = [f"NodeName={node} NodeHostname=localhost NodeAddr=127.0.0.1 Port={port} CPUs={PROCESSORS} "
                 f"Boards=1 SocketsPerBoard=1 CoresPerSocket={PROCESSORS} ThreadsPerCore=1 RealMemory=2000"
                 for node, port in zip(NODES, ports)]
        # Partitions name nodes, so nodes come first.
        return "\n".join([*nodes, *(line.strip() for line in lines)]) + "\n"

    def daemon(self, name, command):
        """Starts the daemons in the foreground, as children of this process."""
        with open(self.path("log", name), "w", encoding="utf-8") as log:
            self.daemons.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                                 preexec_fn=die_with_parent))

    def start_munge(self):
        folder = self.path("munge")
        os.makedirs(folder, mode=0o755)
        key = os.path.join(folder, "key")
        with open(os.open(key, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
            file.write(os.urandom(1024))
        self.daemon("munged", ["munged", "--foreground", "--force", f"--socket={self.path('run', 'munge')}",
                               f"--key-file={key}", f"--pid-file={folder}/pid", f"--log-file={folder}/log",
                               f"--seed-file={folder}/seed"])
        self.wait_for("munged", lambda: os.path.exists(self.path("run", "munge")))

    def start_node(self, node):
        """A separate host name and /dev/shm per node: Open MPI and PMIx treat nodes that share them as one machine."""
        for name in ("spool", "tmp"):
            os.makedirs(self.path(node, name), mode=0o777)
        os.chmod(self.path(node, "tmp"), 0o1777)
        script = ('hostname "$1" && mount -t tmpfs -o mode=1777 tmpfs /dev/shm && mount --bind "$2/hosts" /etc/hosts '
                  '&& exec slurmd -D -N "$1" -f "$2/slurm.conf"')
        self.daemon(node, ["unshare", "--uts", "--mount", "bash", "-c", script, "node", node, self.folder])

    def wait_until_ready(self):
        def idle():
            command = ["sinfo", "-h", "-N", "-p", "main", "-t", "idle", "-o", "%N"]
            shown = subprocess.run(command, check=False, text=True, capture_output=True,
                                   env={**os.environ, **self.environment()})
            return sorted(shown.stdout.split()) == sorted(NODES)
        self.wait_for("the nodes", idle)

    def wait_for(self, what, ready):
        limit = time.monotonic() + START_SECONDS
        while not ready():
            dead = [daemon.args[0] for daemon in self.daemons if daemon.poll() is not None]
            if dead or time.monotonic() > limit:
                raise RuntimeError(f"SLURM does not start: {what} not ready, ended: {dead}\n{self.logs()}")
            time.sleep(0.1)

    def logs(self):
        text = ""
        for name in sorted(os.listdir(self.path("log"))):
            with open(self.path("log", name), encoding="utf-8", errors="replace") as file:
                text += f"--- {name}\n" + "".join(file.readlines()[-20:])
        return text

    def stop(self):
        """Stops the daemons, in the reverse order; their remaining processes end with the namespace."""
        for daemon in reversed(self.daemons):
            daemon.terminate()
            try:
                daemon.wait(timeout=10)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
