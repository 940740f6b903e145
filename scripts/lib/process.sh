# shellcheck shell=bash
# Background processes with pid file, log file and a fingerprint of what they were started with.
# Sourced by scripts/stack, which sets $run (folder of pid files), $log (folder of logs), say and fail.

log_size_max=$((64 * 1024 * 1024))

# What must occur in a process's command line so that it is ours; a pid may have been given to another process since.
declare -A marks=()

pid_of() { # NAME: prints the pid of the running process; fails when it does not run
    local pid arguments
    if [[ ! -s $run/$1.pid ]]; then return 1; fi
    pid=$(<"$run/$1.pid")
    if ! arguments=$(tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline"); then return 1; fi
    # A zombie has no command line, and another program's does not carry the mark.
    if [[ $arguments != *"${marks[$1]}"* ]]; then return 1; fi
    echo "$pid"
}

running() { # NAME
    pid_of "$1" >/dev/null
}

port_taken() { # PORT
    (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

require_free_port() { # PORT VARIABLE
    if port_taken "$1"; then
        fail "port $1 is taken by another program; choose another: make up $2=..."
    fi
}

# Starts a command in a session of its own; the shell's child becomes the command itself, so its pid is the real one.
launch() { # NAME FINGERPRINT COMMAND...
    local name=$1 fingerprint=$2 file=$log/$1.log
    shift 2
    if [[ -f $file && $(stat -c %s "$file") -gt $log_size_max ]]; then mv -f "$file" "$file.1"; fi
    (
        cd /
        exec setsid "$@" </dev/null >>"$file" 2>&1 9>&-
    ) &
    echo $! >"$run/$name.pid"
    echo "$fingerprint" >"$run/$name.fingerprint"
    # Until the child has become the command it carries this script's own command line.
    until running "$name" || ! kill -s 0 $! 2>/dev/null; do sleep 0.01; done
}

# True when the process runs and was started with the same fingerprint.
current() { # NAME FINGERPRINT
    running "$1" && [[ -f $run/$1.fingerprint && $(<"$run/$1.fingerprint") == "$2" ]]
}

# Polls a condition until it holds, the process ends or the time is over; then shows the end of the log.
await() { # NAME WHAT SECONDS CONDITION...
    local name=$1 what=$2 deadline=$((SECONDS + $3))
    shift 3
    until "$@"; do
        if ! running "$name"; then
            show_log "$name"
            fail "$name ended before it was $what; its log is $log/$name.log"
        fi
        if ((SECONDS >= deadline)); then
            show_log "$name"
            fail "$name was not $what in time; its log is $log/$name.log"
        fi
        sleep 0.1
    done
}

show_log() { # NAME
    {
        echo "--- the last lines of $log/$1.log"
        tail -n 15 "$log/$1.log" || true
        echo "---"
    } >&2
}

# Sends one signal after the other, the last of them KILL, each when the one before had its time.
stop() { # NAME SIGNAL...
    local name=$1 pid signal deadline
    shift
    if pid=$(pid_of "$name"); then
        for signal in "$@" KILL; do
            kill -s "$signal" "$pid" || true
            # A frozen process obeys no signal but KILL until it goes on.
            kill -s CONT "$pid" 2>/dev/null || true
            deadline=$((SECONDS + WALLET_STOP_TIMEOUT_S))
            while running "$name" && ((SECONDS < deadline)); do sleep 0.05; done
            if ! running "$name"; then break; fi
            say "$name did not end within $WALLET_STOP_TIMEOUT_S s of $signal"
        done
        if running "$name"; then fail "$name (pid $pid) cannot be ended"; fi
        say "$name stopped"
    fi
    rm -f "$run/$name.pid" "$run/$name.fingerprint"
}
