import { connect } from 'node:net'

const connectMsMax = 400

/** Whether somebody listens on a local socket. One that is too busy to answer in time counts as somebody. */
export function canConnect(socketPath: string): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(socketPath)
    const answer = (isListening: boolean) => {
      socket.destroy()
      resolve(isListening)
    }
    socket.setTimeout(connectMsMax, () => answer(true))
    socket.once('connect', () => answer(true))
    // A full backlog refuses for the moment, but proves a listener.
    socket.once('error', (error: NodeJS.ErrnoException) => answer(error.code === 'EAGAIN'))
  })
}
