"""Router: pairs a user's socket with an operator's, passes frames, and subscribes sockets to logs.

handler    whom a frame is for: a session's side, or a follower
follow     who asks to be told what a log gets
"""
