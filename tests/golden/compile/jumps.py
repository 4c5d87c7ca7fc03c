def near(a):
    while a:
        a = b + 0
        a = b + 1
        a = b + 2
        a = b + 3
        a = b + 4
        a = b + 5
        a = b + 6
        a = b + 7
        a = b + 8
        a = b + 9
        a = b + 10
        a = b + 11
        a = b + 12
        a = b + 13
        if a: continue
    return a

def far(a, b):
    for i in a:
        if i:
            break
        x0 = a.attribute_0(b, 0)
        x1 = a.attribute_1(b, 100)
        x2 = a.attribute_2(b, 200)
        x3 = a.attribute_3(b, 300)
        x4 = a.attribute_4(b, 400)
        x5 = a.attribute_5(b, 500)
        x6 = a.attribute_6(b, 600)
        x7 = a.attribute_7(b, 700)
        x8 = a.attribute_8(b, 800)
        x9 = a.attribute_9(b, 900)
        x10 = a.attribute_10(b, 1000)
        x11 = a.attribute_11(b, 1100)
        x12 = a.attribute_12(b, 1200)
        x13 = a.attribute_13(b, 1300)
        x14 = a.attribute_14(b, 1400)
        x15 = a.attribute_15(b, 1500)
        x16 = a.attribute_16(b, 1600)
        x17 = a.attribute_17(b, 1700)
        x18 = a.attribute_18(b, 1800)
        x19 = a.attribute_19(b, 1900)
        x0 = a.attribute_20(b, 2000)
        x1 = a.attribute_21(b, 2100)
        x2 = a.attribute_22(b, 2200)
        x3 = a.attribute_23(b, 2300)
        x4 = a.attribute_24(b, 2400)
        x5 = a.attribute_25(b, 2500)
        x6 = a.attribute_26(b, 2600)
        x7 = a.attribute_27(b, 2700)
        x8 = a.attribute_28(b, 2800)
        x9 = a.attribute_29(b, 2900)
        x10 = a.attribute_30(b, 3000)
        x11 = a.attribute_31(b, 3100)
        x12 = a.attribute_32(b, 3200)
        x13 = a.attribute_33(b, 3300)
        x14 = a.attribute_34(b, 3400)
        x15 = a.attribute_35(b, 3500)
        x16 = a.attribute_36(b, 3600)
        x17 = a.attribute_37(b, 3700)
        x18 = a.attribute_38(b, 3800)
        x19 = a.attribute_39(b, 3900)
        x0 = a.attribute_40(b, 4000)
        x1 = a.attribute_41(b, 4100)
        x2 = a.attribute_42(b, 4200)
        x3 = a.attribute_43(b, 4300)
        x4 = a.attribute_44(b, 4400)
        x5 = a.attribute_45(b, 4500)
        x6 = a.attribute_46(b, 4600)
        x7 = a.attribute_47(b, 4700)
        x8 = a.attribute_48(b, 4800)
        x9 = a.attribute_49(b, 4900)
        x10 = a.attribute_50(b, 5000)
        x11 = a.attribute_51(b, 5100)
        x12 = a.attribute_52(b, 5200)
        x13 = a.attribute_53(b, 5300)
        x14 = a.attribute_54(b, 5400)
        x15 = a.attribute_55(b, 5500)
        x16 = a.attribute_56(b, 5600)
        x17 = a.attribute_57(b, 5700)
        x18 = a.attribute_58(b, 5800)
        x19 = a.attribute_59(b, 5900)
        if b: continue
        try:
            y = 1
            z.method_0(a and b or i)
            z.method_1(a and b or i)
            z.method_2(a and b or i)
            z.method_3(a and b or i)
            z.method_4(a and b or i)
            z.method_5(a and b or i)
            z.method_6(a and b or i)
            z.method_7(a and b or i)
            z.method_8(a and b or i)
            z.method_9(a and b or i)
            z.method_10(a and b or i)
            z.method_11(a and b or i)
            z.method_12(a and b or i)
            z.method_13(a and b or i)
            z.method_14(a and b or i)
            z.method_15(a and b or i)
            z.method_16(a and b or i)
            z.method_17(a and b or i)
            z.method_18(a and b or i)
            z.method_19(a and b or i)
            z.method_20(a and b or i)
            z.method_21(a and b or i)
            z.method_22(a and b or i)
            z.method_23(a and b or i)
            z.method_24(a and b or i)
            z.method_25(a and b or i)
            z.method_26(a and b or i)
            z.method_27(a and b or i)
            z.method_28(a and b or i)
            z.method_29(a and b or i)
        except E as e:
            break
    else:
        return b
    return [i for i in a if i]

def lines():
    a








    b
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    # comment
    c(
    1,
    1,
    1,
    1,
    1,
    1,
    1,
    1,
    1,
    1,
    1,
    1,
    1,
    1,
    1,
    1,
    1,
    1,
    1,
    1,
    1,
    1,
    1,
    1,
    1,
    1,
    1,
    1,
    1,
    1,
    1,
    1,
    1,
    1,
    1,
    1,
    1,
    1,
    1,
    1,
    )
x = [
    0,
    37,
    74,
    111,
    148,
    185,
    222,
    259,
    296,
    333,
    370,
    407,
    444,
    481,
    518,
    555,
    592,
    629,
    666,
    703,
    740,
    777,
    814,
    851,
    888,
    925,
    962,
    999,
    1036,
    1073,
    1110,
    1147,
    1184,
    1221,
    1258,
    1295,
    1332,
    1369,
    1406,
    1443,
    1480,
    1517,
    1554,
    1591,
    1628,
    1665,
    1702,
    1739,
    1776,
    1813,
    1850,
    1887,
    1924,
    1961,
    1998,
    2035,
    2072,
    2109,
    2146,
    2183,
    2220,
    2257,
    2294,
    2331,
    2368,
    2405,
    2442,
    2479,
    2516,
    2553,
    2590,
    2627,
    2664,
    2701,
    2738,
    2775,
    2812,
    2849,
    2886,
    2923,
    2960,
    2997,
    3034,
    3071,
    3108,
    3145,
    3182,
    3219,
    3256,
    3293,
    3330,
    3367,
    3404,
    3441,
    3478,
    3515,
    3552,
    3589,
    3626,
    3663,
    3700,
    3737,
    3774,
    3811,
    3848,
    3885,
    3922,
    3959,
    3996,
    4033,
    4070,
    4107,
    4144,
    4181,
    4218,
    4255,
    4292,
    4329,
    4366,
    4403,
]
