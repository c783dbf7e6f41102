"""What each characteristic and each value of the environment asks for: the whole knowledge in one table."""

Row = tuple[str, float, float, str]  # transform, strength, probability (both at intensity high), reason

# Order of the pipeline: the scene, then what stands in it, then light, then the camera's own faults.
WHAT_IT_DOES: dict[str, str] = {
    "zoom": "scales the picture down and up",
    "zoom_in": "scales the picture up",
    "stretch": "scales width and height apart, shears",
    "bend": "distorts along an uneven grid",
    "shift": "moves the picture sideways and up or down",
    "tilt": "turns the picture",
    "perspective": "moves the four corners",
    "paste": "pastes copies of objects beside and over others",
    "see_through": "lets the surroundings shine through objects",
    "fade": "moves the colours of objects towards their surroundings",
    "recolour": "other colours and brightness behind the objects",
    "clutter": "strews coloured shapes behind the objects",
    "highlights": "bright spots on objects",
    "hide": "covers part of some objects",
    "exposure": "brighter or darker, more or less contrast",
    "shadow": "casts shadows across the picture",
    "temperature": "warmer or colder light",
    "darken": "darker through gamma",
    "flatten": "takes contrast away",
    "glare": "a light shining into the lens",
    "defocus": "out of focus",
    "motion_blur": "smears along a direction",
    "noise": "sensor noise",
}
ORDER: tuple[str, ...] = tuple(WHAT_IT_DOES)
PART_OF: dict[str, str] = {"zoom_in": "zoom"}

TABLE: dict[str, tuple[Row, ...]] = {
    "changes_shape": (
        ("bend", 1.0, 0.5, "soft objects take other outlines"),
        ("stretch", 0.8, 0.5, "they grow longer or wider"),
    ),
    "changes_size": (("zoom", 1.0, 0.7, "objects of one class come in many sizes"),),
    "reflective_surface": (
        ("highlights", 1.0, 0.6, "shiny surfaces mirror the lamps"),
        ("glare", 0.7, 0.25, "and send light into the lens"),
    ),
    "low_contrast": (
        ("flatten", 1.0, 0.6, "edges are faint"),
        ("exposure", 0.4, 0.3, "exposure decides what is left of them"),
    ),
    "moves_or_vibrates": (("motion_blur", 1.0, 0.5, "objects move while the shutter is open"),),
    "semi_transparent": (("see_through", 1.0, 0.6, "what lies behind shows in the object"),),
    "similar_to_background": (
        ("fade", 1.0, 0.6, "colour tells objects and background apart badly"),
        ("flatten", 0.4, 0.3, "and so does brightness"),
    ),
    "multiple_objects": (
        ("paste", 1.0, 0.6, "objects stand in groups and overlap"),
        ("hide", 0.4, 0.3, "and hide one another"),
    ),
    "partially_hidden": (("hide", 1.0, 0.6, "only a part of the object is seen"),),
    "lighting: stable": (),
    "lighting: variable": (
        ("exposure", 0.8, 0.7, "lamps and daylight change"),
        ("temperature", 0.8, 0.4, "so does the colour of the light"),
        ("shadow", 0.6, 0.3, "and where shadows fall"),
    ),
    "lighting: poor": (
        ("darken", 1.0, 0.7, "there is little light"),
        ("noise", 1.0, 0.6, "the sensor amplifies what there is"),
        ("exposure", 0.5, 0.4, "exposure is set by guess"),
        ("temperature", 0.5, 0.3, "lamps colour the light"),
    ),
    "camera: fixed": (),
    "camera: moving": (
        ("shift", 1.0, 0.5, "the frame is another each time"),
        ("perspective", 0.6, 0.4, "so is the point of view"),
        ("motion_blur", 0.5, 0.3, "the camera moves while the shutter is open"),
    ),
    "camera: shaky": (
        ("tilt", 1.0, 0.5, "the camera is never level"),
        ("perspective", 0.9, 0.4, "it shakes about all axes"),
        ("motion_blur", 0.8, 0.5, "and while the shutter is open"),
        ("shift", 0.5, 0.4, "objects lie off centre"),
    ),
    "background: clean": (),
    "background: busy": (("clutter", 1.0, 0.6, "other things stand behind the objects"),),
    "background: changing": (
        ("recolour", 1.0, 0.7, "walls and floors are others elsewhere"),
        ("clutter", 0.4, 0.3, "and so is what stands about"),
    ),
    "distance: fixed": (),
    "distance: variable": (
        ("zoom", 0.8, 0.6, "objects are seen from near and far"),
        ("defocus", 0.5, 0.25, "focus does not follow each time"),
    ),
    "distance: close": (
        ("zoom_in", 1.0, 0.6, "objects fill the picture and are cut by its edge"),
        ("defocus", 0.8, 0.3, "close objects leave the depth of field"),
    ),
}
