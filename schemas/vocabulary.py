"""What the protocol lists: the values of its enumerations, and the fields that only the vendor's API has.

Nothing here decides what is stored: a value or a field that is not listed is stored as any other, and noted as
drift. Sources: TCCC's documentation of its data pushes and of DescribeTelCdr (version 2020-02-10).
"""

# EndStatusString of calls, by the code that the vendor's API has for it.
END_STATUS_CODES = {
    1: "ok",
    17: "seatGiveUp",
    100: "blackList",
    102: "ivrGiveUp",
    103: "waitingGiveUp",
    104: "ringingGiveUp",
    105: "noSeatOnline",
    106: "notWorkTime",
    107: "ivrEnd",
    108: "restrictedCallee",
    109: "tooManyRequest",
    110: "restrictedArea",
    111: "restrictedTime",
    202: "notAnswer",
    203: "userReject",
    204: "powerOff",
    205: "numberNotExist",
    206: "busy",
    207: "outOfCredit",
    208: "operatorError",
    209: "callerCancel",
    210: "notInService",
    211: "clientError",
    212: "carrierBlocked",
    213: "callReminder",
    215: "numberInvalid",
    216: "callRestricted",
    217: "calleeRestricted",
    218: "areaRestricted",
    219: "promptCallForwarding",
    220: "callerCancelWhileRing",
    221: "callerCancelWithoutRing",
    222: "voiceMailReached",
    225: "asrError",
    226: "llmasrError",
    227: "ttsError",
    228: "functionCallHangup",
    229: "maxCallDurationReached",
    230: "userInactivity",
    231: "callTerminatedByAPI",
    232: "userHangupDuringAiCall",
    233: "aiAgentEndCall",
    501: "callConflict",
    502: "clientTimeout",
    503: "voipClientError",
}
END_STATUSES = frozenset({*END_STATUS_CODES.values(), "unconnected", "outboundForward", "unknown"})
CHAT_END_STATUSES = frozenset(
    {
        *("ok", "seatGiveUp", "seatForward", "ivrGiveUp", "ivrEnd", "autoFinished"),
        *("ringingGiveUp", "noSeatOnline", "notWorkTime", "error"),
    }
)
HUNG_UP_SIDES = frozenset({"user", "seat", "system"})
CALL_TYPES = frozenset({1, 2, 3, 5, 6})
PARTICIPANT_TYPES = frozenset(
    {"staffSeat", "outboundSeat", "staffPhoneSeat", "miniProgramSeat", "staffExtensionSeat"}
)

# Fields of DescribeTelCdr's elements that no push has, by the object that they stand in.
API_FIELDS = frozenset(
    {
        *("Time", "EndStatus", "EndStatusV2", "UUI", "Remark", "PostIVRKeyPressedEx"),
        *("ProtectedCaller", "ProtectedCallee", "SkillGroup", "SkillGroupId", "AsrUrl", "AsrStatus"),
        *("RecordURL", "CustomRecordURL", "VoicemailRecordURL", "VoicemailAsrURL"),
        *("AIAgentId", "AIAgentName", "SysHangupReason", "SysHangupReasonString"),
        *("SeatUser.Role", "SeatUser.ExtensionNumber"),
        *("ServeParticipants.RecordURL", "ServeParticipants.CustomRecordURL"),
    }
)
