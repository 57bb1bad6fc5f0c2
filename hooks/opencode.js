// OpenCode's plugin for the context ledger, written by `ledger hooks install`. It hands on what OpenCode tells it to
// the ledger of the project, where there is one, and does nothing where there is none. It never throws but to keep
// OpenCode from an edit, where the ledger is set to do so, and it waits for the ledger only where it can be answered.
import { spawn } from "node:child_process"
import { existsSync, readFileSync, statSync } from "node:fs"
import { dirname, join, resolve } from "node:path"

const EDITORS = ["edit", "write", "patch", "multiedit", "apply_patch"]
const PATIENCE = 3000 // milliseconds, for one answer or for what is left to be told at the end

function findHook(folder) {
  for (let at = resolve(folder); ; at = dirname(at)) {
    const git = join(at, ".git")
    const candidates = [join(at, ".ledger", "hook")]
    if (existsSync(git)) candidates.unshift(join(process.env.LEDGER_DIR || join(shared(git), "ledger"), "hook"))
    const found = candidates.find((path) => existsSync(path) && statSync(path).uid === process.getuid())
    if (found || existsSync(git) || at === dirname(at)) return found
  }
}

// In a linked worktree `.git` is a file that names the worktree's own git folder, and that names the shared one.
function shared(git) {
  if (statSync(git).isDirectory()) return git
  const own = resolve(dirname(git), readFileSync(git, "utf8").replace(/^gitdir: /, "").trim())
  const common = join(own, "commondir")
  return existsSync(common) ? resolve(own, readFileSync(common, "utf8").trim()) : own
}

function run(hook, directory, event, payload) {
  return new Promise((done) => {
    try {
      const child = spawn(hook, ["opencode", event], { cwd: directory, stdio: ["pipe", "pipe", "ignore"] })
      const late = setTimeout(() => done({}), PATIENCE)
      let said = ""
      child.stdout.on("data", (data) => (said += data))
      child.on("error", () => done({}))
      child.on("close", () => {
        clearTimeout(late)
        try {
          done(JSON.parse(said || "{}"))
        } catch {
          done({})
        }
      })
      child.stdin.on("error", () => {})
      child.stdin.end(JSON.stringify({ ...payload, directory }))
    } catch {
      done({})
    }
  })
}

function isTelling({ type, properties }) {
  if (type === "message.updated") return properties.info?.role === "assistant" && properties.info?.time?.completed
  if (type === "message.part.updated") return properties.part?.state?.status === "error"
  return ["session.created", "session.idle", "session.compacted", "session.deleted", "session.error"].includes(type)
}

export const Ledger = async ({ directory }) => {
  let hook
  try {
    hook = findHook(directory)
  } catch {}
  if (!hook) return {}
  const open = new Set() // sessions that were heard of and have not ended
  const fresh = new Set() // of these, the ones that nobody has asked anything yet
  const children = new Set() // the ones of subagents
  const asked = new Set() // the ones in a turn: after an error the end is told twice
  const failed = new Set() // the ones whose turn met an error, before its end is told
  const said = new Map() // the last words in each
  let told = Promise.resolve()
  const tell = (event, payload) => (told = told.then(() => run(hook, directory, event, payload)))

  return {
    event: async ({ event }) => {
      const session = event.properties?.sessionID
      if (!session || !isTelling(event)) return
      if (event.type === "session.idle" && !asked.delete(session)) return
      if (event.type === "session.created") fresh.add(session)
      if (event.properties.info?.parentID) children.add(session)
      if (event.type === "session.error") failed.add(session)
      event.type === "session.deleted" ? open.delete(session) : open.add(session)
      const more = event.type === "session.idle" ? { text: said.get(session), failed: failed.delete(session) } : {}
      tell("event", { type: event.type, properties: { ...event.properties, ...more } })
    },
    "chat.message": async (input, output) => {
      open.add(input.sessionID)
      asked.add(input.sessionID)
      const first = fresh.delete(input.sessionID)
      const { context } = await tell("chat-message", { input, output, first, child: children.has(input.sessionID) })
      const part = output.parts?.[0]
      if (!context || !part) return
      output.parts.push({ ...part, id: `${part.id.slice(0, -6)}Ledger`, type: "text", text: context, synthetic: true })
    },
    "tool.execute.before": async (input, output) => {
      if (!EDITORS.includes(input.tool)) return
      const { deny } = await tell("tool-before", { input, output })
      if (deny) throw new Error(deny)
    },
    "tool.execute.after": async (input, output) => void tell("tool-after", { input, output }),
    "experimental.text.complete": async (input, output) => void said.set(input.sessionID, output.text),
    "shell.env": async (input, output) => {
      if (input.sessionID) Object.assign(output.env, { LEDGER_AGENT: "opencode", LEDGER_AGENT_SESSION: input.sessionID })
    },
    dispose: async () => {
      for (const sessionID of open) tell("event", { type: "ledger.disposed", properties: { sessionID, reason: "exit" } })
      await Promise.race([told, new Promise((done) => setTimeout(done, PATIENCE))])
    },
  }
}
